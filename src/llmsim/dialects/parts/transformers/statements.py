"""What the Trainer and its library print in every script, statement by statement (5.23.0)."""

from llmsim.dialects import statement
from llmsim.dialects.parts.statements import bar
from llmsim.dialects.statement import Statement, Steps, where
from llmsim.job.records import Job, gpus_per_node
from llmsim.run.phases.timing import REPORTS

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
NUMBER = r"'(?:-?\d[\d.]*(?:e[+-]\d\d)?|nan|inf)'"


def pairs(*names: str) -> str:
    """Keys of a dict with numbers: a regular expression."""
    return ", ".join(f"'{name}': {NUMBER}" for name in names)


def info(
    name: str, file: str, line: int, text: str, steps: Steps = statement.once, guard: str = ""
) -> Statement:
    """A message of the library's logger, with the place that it shows."""
    place = rf"\[INFO\|{file}:{line}\] {STAMP} >> "
    return Statement(name, f"{file}:{line}", place + text, steps, guard=guard)


def is_released(job: Job) -> bool:
    """Whether the run starts from released weights."""
    return job.recipe.released


def sharded(job: Job) -> bool:
    """Whether the model is written by the library, with a bar of its files."""
    return not job.architecture.adapter_rank


BARS = (
    Statement("downloading", "datasets", bar("Downloading data:", "B"), None),
    Statement("loading", "core_model_loading.py:1831", bar("Loading weights:"), None),
    Statement("training-bar", "trainer_callback.py:645", bar(""), None,
              guard="state.is_world_process_zero"),
    Statement("files", "modeling_utils.py:3579", bar("Writing model shards:"), None,
              guard="save_on_this_rank"),
)  # fmt: skip


def loaded(job: Job) -> int:
    """How often the bar of the weights stands in a file: at notches, and once for each process."""
    return min(REPORTS, 3) + gpus_per_node(job)


def released(steps: Steps = statement.once) -> Steps:
    """Only where weights are loaded."""
    return where(is_released, steps)
