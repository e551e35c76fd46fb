"""What a submission to MLPerf prints by mllog (rules 6.1.0), key by key, on rank 0."""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.mlperf.lines import settings
from llmsim.dialects.statement import Statement
from llmsim.job.milestones import validated_steps
from llmsim.job.records import Job

_SUBMISSION = ("benchmark", "division", "org", "platform", "status")


def _validations(job: Job) -> Iterable[int]:
    return (0,) * len(validated_steps(job))


def _tracked(job: Job) -> Iterable[int]:
    """The loss and the throughput of each logged step."""
    return (0,) * (2 * len([*statement.logged(job)]))


def _event(
    key: str, kind: str, steps: statement.Steps = statement.once, guard: str = ""
) -> Statement:
    text = (
        rf':::MLLOG {{"namespace": "", "time_ms": \d{{13}}, "event_type": "{kind}", '
        rf'"key": "{key}", "value": .*}}'
    )
    name = key.split("(", maxsplit=1)[0]
    return Statement(name, "mlperf_logging/mllog/mllog.py:104", text, steps, guard=guard)


_START, _END, _POINT = "INTERVAL_START", "INTERVAL_END", "POINT_IN_TIME"
_SETTINGS = (
    "global_batch_size|max_sequence_length|opt_[a-z_0-9]+|gradient_accumulation_steps|"
    "train_samples|eval_samples|seed|max_steps|lowest_numerical_precision_in_[a-z]+|"
    "[a-z]+_parallelism|micro_batch_size|config_filename"
)
STATEMENTS = (
    _event("cache_clear", _POINT),
    _event("init_start", _START),
    _event(f"submission_(?:{'|'.join(_SUBMISSION)})", _POINT, lambda _job: range(5)),
    Statement("setting", "mlperf_logging/mllog/mllog.py:104",
              rf':::MLLOG {{"namespace": "", "time_ms": \d{{13}}, "event_type": "{_POINT}", '
              rf'"key": "(?:{_SETTINGS})", "value": .*}}',
              lambda job: range(len(settings(job))), guard="what the rules require"),
    _event("init_stop", _END),
    _event("run_start", _START),
    _event("block_start", _START, _validations),
    _event("tracked_stats", _POINT, _tracked),
    _event("block_stop", _END, _validations),
    _event("eval_start", _START, _validations),
    _event("eval_accuracy", _POINT, _validations),
    _event("eval_stop", _END, _validations),
    _event("run_stop", _END, guard="the target is reached, or max_steps"),
)  # fmt: skip
ORDER = """
cache_clear init_start submission_+ setting+ init_stop run_start
(block_start tracked_stats+ block_stop eval_start eval_accuracy eval_stop)+ run_stop
"""
