"""The options that say how a job trains: its batch, its layout, its length and its rate.

Each leaves its part to the planner where it is not given. The planner refuses, with the arithmetic,
what does not go together.
"""

from math import isfinite

from llmsim.catalog.lists import parse_size
from llmsim.errors import CatalogError
from llmsim.job.framework import CAPTURES
from llmsim.job.layout import PRECISIONS, RECOMPUTES, SHARDINGS
from llmsim.options.option import Option
from llmsim.options.parsing import choice, is_path, whole_number
from llmsim.options.wanted import ANYTHING, Wanted
from llmsim.text.wording import either

MOST_GPUS = 131_072
MOST_TOKENS = 10**15  # of a run: fifty times as many as the largest public runs have
LONGEST_SEQUENCE = 1 << 24  # tokens; published contexts end at 10 million
LARGEST_BATCH = 1 << 20  # sequences of a global batch
MOST_STEPS = 10**8
HIGHEST_RATE = 10.0  # a learning rate; Adam's are far below 1
# What data ranks may share; hsdp is fsdp2 on each of several replicas.
ASKED_SHARDINGS = (*SHARDINGS, "hsdp")


def parse_tokens(text: str) -> int:
    """A count of tokens: a whole number, or one with K, M, B or T as in 15T."""
    try:
        tokens = parse_size(text) if text[-1:] in "KMBT" else whole_number(1, MOST_TOKENS)(text)
    except CatalogError:
        raise ValueError from None
    if not 1 <= tokens <= MOST_TOKENS:
        raise ValueError
    return tokens


def parse_rate(text: str) -> float:
    """A learning rate: a finite number above 0 and not above 10."""
    rate = float(text)
    if not (isfinite(rate) and 0 < rate <= HIGHEST_RATE):
        raise ValueError
    return rate


LONGEST_RELEASE = 40  # characters


def parse_release(text: str) -> str:
    """A release by its name; whether the dialect speaks it is the planner's to say."""
    if not text or len(text) > LONGEST_RELEASE or not (text.isascii() and text.isprintable()):
        raise ValueError
    return text


LONGEST_PATH = 4096  # characters: Linux's PATH_MAX


def parse_job(text: str) -> Wanted:
    """A job file by its path, which the host reads: what is in it is not known yet."""
    if len(text) > LONGEST_PATH or not is_path(text):
        raise ValueError
    return ANYTHING._replace(source=text)


def _whole(name: str, most: int, meaning: str, default: str) -> Option:
    """The row of a whole number from 1 on."""
    expected = f"a whole number from 1 to {most}"
    return Option(name, whole_number(1, most), expected, meaning, default, "N", names_job=True)


JOB_OPTIONS = (
    _whole("sequence", LONGEST_SEQUENCE, "tokens of a sequence", "the model's"),
    _whole("batch", LARGEST_BATCH, "sequences of the global batch", "what is usual for the model"),
    _whole("micro-batch", LARGEST_BATCH, "sequences that a rank takes at once", "what fits"),
    _whole("tp", MOST_GPUS, "tensor-parallel ranks", "what the model needs"),
    _whole("pp", MOST_GPUS, "pipeline stages", "what the model needs"),
    _whole("cp", MOST_GPUS, "ranks that divide each sequence", "what the model needs"),
    _whole("ep", MOST_GPUS, "ranks that divide the experts of a layer", "what the model needs"),
    Option(
        "sharding", choice(*ASKED_SHARDINGS), either(ASKED_SHARDINGS),
        "how the data ranks divide weights, gradients and optimizer states: "
        f"{either(ASKED_SHARDINGS)}",
        "what the model needs", "KIND",
        names_job=True,
    ),
    Option(
        "recompute", choice(*RECOMPUTES), either(RECOMPUTES),
        f"activations to compute again: {either(RECOMPUTES)}",
        "what the memory needs", "HOW", names_job=True,
    ),
    Option(
        "precision", choice(*PRECISIONS), either(PRECISIONS),
        f"number format of matrix products: {either(PRECISIONS)}", "drawn; mostly bf16", "TYPE",
        names_job=True,
    ),
    _whole("steps", MOST_STEPS, "optimizer steps of the whole run", "drawn"),
    Option(
        "tokens", parse_tokens, "a count of tokens such as 20B",
        "tokens of the run, such as 20B, instead of steps", "drawn", "N", names_job=True,
    ),
    Option(
        "lr", parse_rate, "a learning rate such as 3e-4",
        "peak learning rate", "what is usual for the model", "RATE", names_job=True,
    ),
    _whole("log-every", MOST_STEPS, "steps from one logged step to the next", "drawn"),
    Option(
        "release", parse_release, "a release of the dialect from --list releases",
        "which release of the framework prints the log", "the newest", "NAME", names_job=True,
    ),
    Option(
        "capture", choice("auto", *CAPTURES), either(("auto", *CAPTURES)),
        "which ranks write into the log: rank0, node or all", "what is usual", "WHAT",
        names_job=True,
    ),
    Option(
        "job", parse_job, "the path of a job file",
        "a file with the whole job: see docs/jobs.md", "", "FILE", names_job=True,
        in_url=False, in_config=False,
    ),
)  # fmt: skip
