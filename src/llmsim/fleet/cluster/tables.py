"""The tables of a cluster's days."""

from llmsim.fleet.columns import Column, Table

JOBS = Table(
    "jobs",
    "one row each time that a job ran: a job that comes again has several",
    (
        Column("job_id", "int64", "the scheduler's number; it stays when a job comes again"),
        Column("restarts", "int32", "how often it had come again before"),
        Column("kind", "name", "what it is for: evaluation, sft, pretrain, ..."),
        Column("user", "name", "who handed it in"),
        Column("account", "name", "the group whose quota it counts for"),
        Column("gpus", "int32", "GPUs that it had", "GPUs"),
        Column("nodes", "int32", "nodes that it had, a part of one counts as one", "nodes"),
        Column("submit_utc", "time", "it was handed in, or came again"),
        Column("start_utc", "time", "it got its nodes"),
        Column("end_utc", "time", "it left them; null while it runs"),
        Column("submit_seconds", "float64", "the same since the cluster's time zero", "s"),
        Column("start_seconds", "float64", "since time zero", "s"),
        Column("end_seconds", "float64", "since time zero", "s"),
        Column("limit_seconds", "float64", "the time that was asked for", "s"),
        Column("state", "name", "as sacct writes it, without what follows the first word"),
        Column("failed_node", "name", "the node that failed under it"),
        Column("cause", "name", "what broke there, as docs/incidents.md lists it"),
        Column("node_list", "text", "its nodes, folded as Slurm does"),
    ),
)
NODES = Table(
    "nodes",
    "one row each time that a node was down",
    (
        Column("hostname", "name", "the node"),
        Column("down_utc", "time", "it failed"),
        Column("up_utc", "time", "it is there again"),
        Column("down_seconds", "float64", "since the cluster's time zero", "s"),
        Column("up_seconds", "float64", "since time zero", "s"),
        Column("cause", "name", "what broke, as docs/incidents.md lists it"),
        Column("jobs", "int32", "jobs that ended with it", "jobs"),
        Column("lemon", "bool", "whether it is one of the few that fail often"),
    ),
)
GAUGES = Table(
    "gauges",
    "one row a GPU of the cluster and moment, idle ones too; a node that is down has none",
    (
        Column("time_utc", "time", "the moment in UTC", null=False),
        Column("at_seconds", "float64", "since the cluster's time zero", "s", null=False),
        Column("hostname", "name", "the node", null=False, bounds=False),
        Column("gpu", "int16", "the GPU's number on its node", null=False, bounds=False),
        Column("job_id", "int64", "the job that has it; 0: none", null=False, bounds=False),
        Column("power_w", "int16", "board power", "W", null=False, bounds=False),
        Column("temp_c", "int16", "temperature", "C", null=False, bounds=False),
        Column("utilization_percent", "int16", "share of the last second with a kernel", "%",
               null=False, bounds=False),
        Column("used_mib", "int32", "memory in use", "MiB", null=False, bounds=False),
    ),
)  # fmt: skip
TABLES = (JOBS, NODES, GAUGES)
ANSWERS = ("nodes",)  # what says what broke
