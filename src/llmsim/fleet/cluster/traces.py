"""What public traces of GPU clusters say, and what is our own estimate beside it.

Acme: Hu et al. 2024 (NSDI), github.com/InternLM/AcmeTrace: Seren has 2,288 A100 and Kalos 2,416.
Helios: Hu et al. 2021 (SC), github.com/S-Lab-System-Group/HeliosArtifact, 6,220 GPUs in four
clusters. RSC: Kokolis et al. 2024, arXiv 2410.21680, RSC-1 has 16,000 A100.
"""

from math import exp, log

from llmsim.typed import NamedTuple

# Helios: GPU submissions in each hour of the day, relative to their mean (cluster_diurnal.pdf).
HOURS = (
    0.90, 0.84, 0.68, 0.60, 0.56, 0.56, 0.55, 0.51, 0.56, 0.82, 1.12, 1.24,
    1.20, 1.22, 1.33, 1.43, 1.49, 1.33, 1.10, 1.20, 1.31, 1.22, 1.14, 1.09,
)  # fmt: skip
WEEKEND = 0.7  # of a working day's submissions: ours, no public file has arrivals by weekday

# Quantiles at which durations are known; Acme's CDFs have 22 points.
QUANTILES = (0.0, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0)
WAITS = (0.5, 0.75, 0.9, 0.95, 0.99)  # quantiles at which waits are known
LONGEST = 7 * 86_400.0  # RSC's limit; Seren's is 14 days


class Kind(NamedTuple):
    """A kind of job: how many there are, how long they are, how many GPUs they take."""

    name: str
    share: float  # of all jobs
    durations: tuple[float, ...]  # seconds at QUANTILES
    gpus: tuple[tuple[int, float], ...]  # GPUs and their weights
    priority: int  # the higher, the earlier
    quota: float  # its part of the cluster's GPUs, at most, at once
    user_gpus: int  # that a user of the kind has at most, at once, in a small cluster
    user_share: float  # the same as a part of the cluster's GPUs, in a large one
    preemptible: bool
    batch: float  # mean jobs that one submission brings
    busy: float  # median utilization of its GPUs, per cent
    account: str
    leaves: float = 0.0  # the part of all nodes that its jobs leave free
    waits: tuple[int, ...] = ()  # seconds that Seren's waited, at WAITS


# Shares: Seren's, with more pretraining (Kalos has 3.2 % of it) so that a cluster of this size
# has work. Durations: Seren's quantiles, the longest of all ours; the quantiles of "other" are
# ours, as long as RSC's fewer jobs have to be to keep as many GPUs busy. GPUs: ours by kind, so
# that all kinds together come near Seren's CDF, with RSC's 4,096 as the largest. Waiting comes from
# what is ours too, priorities, quotas, limits of a user, sizes of batches, and the nodes that long
# jobs of low priority leave free: pretraining has the whole cluster as its quota, finds 4 % of it
# free and may have others pre-empted, so it waits least; evaluations come by the hundred, and wait
# for jobs of the same user, as Acme's paper has it.
KINDS = (
    Kind("evaluation", 0.645, (1, 7, 16, 129, 391, 1_208, 2_757, 15_588, 86_400),
         ((1, 74.0), (2, 12.0), (4, 2.0), (8, 12.0)), 1, 0.10, 48, 0.0055, False, 45.0, 62.0,
         "evaluation", 0.0, (1, 30, 317, 809, 4_206)),
    Kind("sft", 0.149, (1, 12, 47, 197, 452, 1_128, 2_321, 13_281, LONGEST),
         ((1, 6.0), (2, 6.0), (8, 78.0), (16, 6.0), (32, 4.0)), 2, 0.15, 64, 0.0105, True, 10.0,
         88.0, "alignment", 0.0, (1, 4, 175, 455, 2_476)),
    Kind("other", 0.140, (1, 20, 120, 900, 4_500, 20_000, 60_000, 250_000, LONGEST),
         ((1, 30.0), (2, 10.0), (4, 4.0), (8, 42.0), (16, 6.0), (32, 5.0), (64, 4.0), (128, 3.0),
          (256, 1.0)), 1, 0.40, 256, 0.1, True, 2.0, 55.0, "research", 0.04),
    Kind("multimodal", 0.027, (1, 9, 28, 253, 795, 5_373, 22_765, 75_630, LONGEST),
         ((8, 50.0), (16, 15.0), (32, 12.0), (64, 9.0), (128, 8.0), (256, 6.0)), 2, 0.09, 256,
         0.1, True, 1.2, 90.0, "multimodal", 0.04),
    Kind("debug", 0.019, (1, 6, 23, 114, 359, 935, 1_889, 22_631, 86_400),
         ((1, 40.0), (8, 50.0), (16, 10.0)), 4, 0.04, 32, 0.005, False, 1.0, 35.0, "research",
         0.0, (1, 1, 2, 5, 88)),
    Kind("pretrain", 0.020, (1, 4, 50, 297, 1_196, 24_639, 77_333, 313_273, LONGEST),
         ((64, 30.0), (128, 25.5), (256, 21.5), (512, 15.5), (1024, 7.0), (2048, 1.2),
          (4096, 0.15)), 3, 1.0, 64, 1.0, False, 1.0, 97.0, "foundation", 0.0, (1, 2, 26, 78, 968)),
)  # fmt: skip

# Helios: completed, cancelled and failed jobs in per cent, by GPUs up to these.
STATES = (
    (1, 66.8, 18.5, 14.7), (2, 40.5, 32.5, 27.0), (4, 57.6, 19.4, 23.0), (8, 55.1, 29.3, 15.6),
    (16, 42.9, 46.2, 10.9), (32, 43.9, 41.1, 15.0), (10**9, 21.3, 68.5, 10.2),
)  # fmt: skip
OUT_OF_MEMORY = 0.1 / 24.1  # of the failed jobs: RSC-1 has 24 % FAILED and .1 % OOM

# Limits that people ask for: round values, far above what they use. Ours.
LIMITS = (3_600, 14_400, 86_400, 172_800, 604_800)

# RSC-1: 6.50 failures in 1,000 node-days of jobs above 128 GPUs; Llama 3 had 3.8, RSC-2 2.34.
FAILURES_PER_NODE_DAY = 3.8e-3
LEMONS = 0.012  # RSC-1: 1.2 % of the nodes hit 13 % of the jobs a day
LEMON_FACTOR = 12.0  # how much more often they fail: ours
REPAIR = (4.0 * 3600.0, 0.9)  # median seconds and sigma of a lognormal: ours
DRAINED_AFTER = 3  # failures within a month, after which a node goes for a week: ours

PREEMPTING = 2  # the priority from which on a job may have others of a lower one pre-empted: ours

# RSC: a job is pre-empted only after two hours; then it has this long to save. The grace is ours.
PREEMPTED_AFTER, GRACE = 7_200.0, 300.0
REQUEUE = 60.0  # seconds until a requeued job may start again: ours

USERS = 420  # of a few hundred, with Zipf's law of exponent 1.1: Helios's top 5 % have 46-61 %
ZIPF = 1.1

# Beside what a fleet of ours shows: the traces' figures.
UTILIZATION = "Seren 59, Helios 79, RSC-1 83, RSC-2 85"
WAITED = "Seren 446 and 1, Kalos 214 and 17, Helios 862 and 0, Philly 3,761 and 189"
RSC_STATES = {
    "COMPLETED": "60", "FAILED": "24", "PREEMPTED": "10", "CANCELLED": "~3", "REQUEUED": "2",
    "TIMEOUT": ".6", "NODE_FAIL": ".1", "OUT_OF_MEMORY": ".1",
}  # fmt: skip
GPU_SHARES = {1: 54.2, 2: 65.4, 4: 68.0, 8: 96.7, 16: 97.9, 32: 98.8, 64: 99.3, 256: 99.7}


def duration_at(kind: Kind, share: float) -> float:
    """The duration below which this share of a kind's jobs lies: straight lines in log time."""
    for low, high, short, long in zip(
        QUANTILES, QUANTILES[1:], kind.durations, kind.durations[1:], strict=False
    ):
        if share <= high:
            part = (share - low) / (high - low)
            return exp(log(short) + (log(long) - log(short)) * part)
    return LONGEST
