"""The runs of a fleet: which job each number has, its seed, its start and its split."""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import product
from math import isfinite, prod

from llmsim.cli.job_files import job_of_file
from llmsim.errors import FLAG, LlmsimError, OptionError
from llmsim.job.records import Job
from llmsim.options.given import unknown, with_value
from llmsim.options.table import OPTIONS, Options
from llmsim.options.wanted import Wanted, lifted
from llmsim.physics import noise
from llmsim.planning.plan import plan
from llmsim.typed import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.fleet.spec import Spec

# What a part of the mix may say of its runs; seeds and starts are the fleet's.
_FLAGS = {
    option.name: option
    for option in OPTIONS
    if option.names_job and option.name not in ("seed", "start", "job")
}
MOST_TRIED = 64  # combinations of flags that are planned one by one
SEED_BITS = 53  # a seed is a whole number that JSON and tables hold exactly


class Share(NamedTuple):
    """One [[mix]] of a SPEC: some of the runs, by weight."""

    weight: float
    number: int  # its place in the SPEC, counted from 0
    flags: tuple[tuple[str, tuple[str, ...]], ...] = ()  # each with the values to choose from
    job: Wanted | None = None

    @property
    def key(self) -> str:
        """A text that tells it from the others, for the draw among them."""
        return f"{self.number} {self.flags}"


class Member(NamedTuple):
    """One run of a fleet."""

    number: int  # counted from 0
    run_id: str
    seed: int
    start: datetime
    split: str
    share: int  # the number of its [[mix]]; -1 without one
    options: Options


class ShareError(Exception):
    """A key of a [[mix]] is wrong."""

    def __init__(self, key: str, reason: str) -> None:
        """The key, and the sentence that says what is wrong with it."""
        super().__init__(reason)
        self.key = key
        self.reason = reason


def _text(value: Any) -> str:
    """A value of TOML as the text of a flag. Raises ValueError for a table."""
    if isinstance(value, dict | list):
        raise ValueError  # noqa: TRY004  # the caller says what is wrong
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _weight(value: object) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not isfinite(value) or value < 0:  # type: ignore[arg-type,operator]  # good
        raise ShareError("weight", f"weight cannot be {value!r}: give a number from 0 on.")
    return float(value)  # type: ignore[arg-type]  # it is a number


def share_of(table: dict[str, object], number: int, above: Container[str] = ()) -> Share:
    """One [[mix]] of a SPEC, of which `above` are the keys of the whole fleet.

    Raises ShareError, which names the key.
    """
    weight, job, flags = 1.0, None, []
    for key, value in table.items():
        if key == "weight":
            weight = _weight(value)
        elif key == "job":
            job = _job(value)
        elif key in _FLAGS:
            flags.append((key, _values(key, value)))
        else:
            raise ShareError(key, _misplaced(key, above))
    return Share(weight, number, tuple(flags), job)


def _misplaced(key: str, above: Container[str]) -> str:
    """The sentence that refuses a key of a [[mix]]."""
    if key in above:
        return f"{key} is the whole fleet's: write it above the first table, not in [[mix]]."
    if key in _TABLE:
        return f"{key} cannot stand in [[mix]]: it says nothing of a job; leave it out."
    return unknown(key, prefix="").replace("option", "key", 1)


def _job(path: object) -> Wanted:
    if not isinstance(path, str) or not path.strip():
        raise ShareError("job", "job names a file: give a text such as job.toml.")
    try:
        return job_of_file(path)[0]._replace(source="")
    except OptionError as error:
        raise ShareError("job", error.sentence(FLAG)) from None


def _values(key: str, value: object) -> tuple[str, ...]:
    """The texts of a flag: a list in the SPEC is a choice, each as likely as another."""
    try:
        texts = tuple(_text(each) for each in (value if isinstance(value, list) else [value]))
    except ValueError:
        raise ShareError(key, f"{key} takes values, or a list of values.") from None
    if not texts:
        raise ShareError(key, f"{key} has nothing to choose from: give a value.")
    for text in texts:
        try:
            with_value(Options(), _FLAGS[key], text, key)
        except LlmsimError as error:
            raise ShareError(key, error.sentence(FLAG)) from None
    return texts


def planned(spec: "Spec", share: Share) -> Job:
    """A job of a part of the mix, to see whether there can be one. Raises a LlmsimError.

    Where flags are choices, each of their values is tried, and each with each if these are few.
    """
    for each in _combinations(share):
        job = plan(_options(spec, each, 0, spec.seed % (1 << SEED_BITS), spec.start))
    return job


def _combinations(share: Share) -> Iterator[Share]:
    """The part of the mix with one value of each of its flags, and then with others."""
    values = [[(name, (text,)) for text in texts] for name, texts in share.flags]
    counts = [len(each) for each in values]
    if prod(counts) <= MOST_TRIED:
        chosen: Iterable[tuple[tuple[str, tuple[str, ...]], ...]] = product(*values)
    else:
        chosen = (tuple(each[turn % len(each)] for each in values) for turn in range(max(counts)))
    for flags in chosen:
        yield share._replace(flags=flags)


def _options(spec: "Spec", share: Share | None, number: int, seed: int, start: datetime) -> Options:
    """The options of a run: the fleet's, and above them its part of the mix."""
    base = Options(incidents=spec.incidents)
    given = [("seed", str(seed)), ("start", start.isoformat())]
    if share:
        given += [
            (name, noise.choose(spec.seed, f"fleet {name}", texts, index=number))
            for name, texts in share.flags
        ]
    if share and share.job:
        job = (lifted(_with(Options(job=share.job), given)).job or share.job)._replace(lifted=False)
        base = lifted(base._replace(job=job))
    return _with(base, given)


_TABLE = {option.name: option for option in OPTIONS}


def _with(options: Options, given: list[tuple[str, str]]) -> Options:
    for name, text in given:
        options = with_value(options, _TABLE[name], text, name)
    return options


def run_id(spec: "Spec", number: int) -> str:
    """The name of a run in the data set; names sort as their numbers do."""
    return f"run-{number:0{max(6, len(str(spec.runs - 1)))}d}"


def seed_of(spec: "Spec", number: int) -> int:
    """The seed of a run, which plays it alone."""
    return noise.bits(spec.seed, "fleet seed", number) >> (64 - SEED_BITS)


def split_of(spec: "Spec", seed: int) -> str:
    """The split of a run, by a hash of its seed: no split depends on another run."""
    drawn, below = noise.uniform(seed, "fleet split"), 0.0
    for name, share in spec.splits:
        below += share
        if drawn < below:
            return name
    return spec.splits[-1][0]


def member(spec: "Spec", number: int) -> Member:
    """The run of a number, which depends on the SPEC's seed and on no other run."""
    shares = {share.key: share for share in spec.mix if share.weight}
    share = None
    if shares:
        weights = [each.weight for each in shares.values()]
        share = shares[noise.choose(spec.seed, "fleet mix", [*shares], weights, number)]
    seed = seed_of(spec, number)
    seconds = int(spec.span * noise.uniform(spec.seed, "fleet start", number))
    start = spec.start + timedelta(seconds=seconds)
    return Member(
        number=number,
        run_id=run_id(spec, number),
        seed=seed,
        start=start,
        split=split_of(spec, seed),
        share=share.number if share else -1,
        options=_options(spec, share, number, seed, start),
    )
