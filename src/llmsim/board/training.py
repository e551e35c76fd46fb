"""How far a training is, for the board: its newest numbers, and functions for its curves."""

from collections.abc import Callable

from llmsim.typed import NamedTuple

Value = Callable[[int], float]
Number = tuple[str, str, str]  # role, name, number
Mean = Callable[[int, int], float]  # of the steps from the first to the last, both included


class Training(NamedTuple):
    """How far training is. The functions are asked only for what is shown."""

    step: int  # the last complete one; 0 before the first
    steps: int
    loss: Mean
    rate: Value
    throughput: Mean  # tokens per second
    numbers: tuple[Number, ...]  # the most important first
    rate_number: str
    throughput_number: str
    validated: tuple[tuple[int, float], ...] = ()  # step and loss of each validation so far
    broken: tuple[int, ...] = ()  # the steps after which incidents struck
    saved: tuple[int, ...] = ()  # the steps of which there are checkpoints
    alarm: tuple[str, ...] = ()  # role and word in capitals for why none are made, if none are
    paused: str = ""  # since when none are made for a while, as of a save: "before the save"
    before: int = 0  # steps before the first one here, of a part of a longer run
    whole: int = 0  # steps of the longer run, if this is a part of one


def speed(training: Training) -> tuple[str, str]:
    """The role and the number of the throughput, which is grey while no step is made."""
    grey = training.paused or training.throughput_number.strip() == "0"
    role = training.alarm[0] if training.alarm else "label" if grey else "throughput"
    return role, training.throughput_number
