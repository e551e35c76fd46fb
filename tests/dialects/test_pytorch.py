"""The default dialect: fits any width, stands still, and its text alone obeys the identities."""

import re
from datetime import datetime
from math import cos, exp, pi, sqrt
from typing import NamedTuple

import pytest

from llmsim.dialects.line import Bar
from llmsim.dialects.pytorch.saving import SHARD_WIDTH
from llmsim.dialects.registry import lines_of
from llmsim.run import events
from tests.runs import ASKED_FOR, Run, lines, run_of, screen, told, told_by

pytestmark = pytest.mark.long

WIDTHS = (20, 36, 40, 60, 80, 100, 120, 160, 200, 300, 400)

NUMBER = r"-?[\d,]+(?:\.\d+)?(?:e[+-]\d\d)?"
STEP = re.compile(
    rf"(?P<stamp>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}}) INFO step +(?P<step>{NUMBER})/"
    rf"(?P<steps>{NUMBER})  ep +(?P<epoch>\d+)/(?P<epochs>\d+)  loss +(?P<loss>{NUMBER})  "
    rf"ppl +(?P<perplexity>{NUMBER})  gnorm +(?P<norm>{NUMBER})  lr (?P<rate>{NUMBER})  "
    rf" *(?P<tokens>{NUMBER}) tok/s  +(?P<samples>{NUMBER}) seq/s  +(?P<pace>{NUMBER}) s/step  "
    rf"mem +(?P<memory>{NUMBER})GiB +(?P<percent>\d+)%  mfu +(?P<mfu>{NUMBER})%  "
    r"eta +(?P<eta>[\d:]+|\d+d \d\dh)"
)


# Recipes whose steps have a perplexity; DPO and GRPO have metrics of their own.
LANGUAGE = ("pretrain", "continue", "sft", "lora")


@pytest.fixture(scope="module")
def few() -> list[Run]:
    return [run_of(seed) for seed in (2, 7, 11)] + [run_of(1, **asked) for asked in ASKED_FOR]


@pytest.fixture(scope="module")
def fifty() -> list[Run]:
    """More than one GPU each: a launch of one waits for nobody."""
    return [
        run_of(seed, dialect="pytorch", gpus=8 << seed % 4, recipe=LANGUAGE[seed // 4 % 4])
        for seed in range(50)
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_fit_the_width_and_say_something(few: list[Run], width: int) -> None:
    for run in few:
        for event, text in told_by(run, width):
            told_about = (width, run.job.command, text)
            assert len(text) <= width, told_about
            assert re.search(r"\w", text) or set(text) == {"+", "-"}, told_about
            assert not re.search(r" [,:;]|,,|\(\)|\( ", text), told_about
            assert not re.search(r"\b1 (?:ranks|nodes|shards|epochs)\b", text), told_about
            if width >= 36 and not isinstance(event, events.Rendezvous):
                assert text == text.rstrip(), told_about
            prose = isinstance(event, events.Summary | events.Launched)
            if width >= 36 and not prose:
                assert not text.endswith((",", ":", ";", "(", "=")), told_about


def test_nothing_is_cut_from_eighty_columns_on(few: list[Run]) -> None:
    for run in few:
        for width in (80, 120, 200):
            assert [text for text in told(run, width) if "…" in text] == []


def test_bars_leave_a_live_terminal_its_last_cell(few: list[Run]) -> None:
    tell = lines_of("pytorch")[events.Progress]
    for run in few:
        for event in run.all(events.Progress)[::7]:
            for width in WIDTHS:
                for line in tell(event, run.job, screen(width, live=True)):
                    assert isinstance(line, Bar)
                    assert len(line.text) < width
                    assert f"{event.done / event.total * 100:.0f}%" in line.text


def test_without_unicode_every_character_is_ascii(few: list[Run]) -> None:
    table = lines_of("pytorch")
    for run in few:
        for event in run.events[::5]:
            for width in (20, 80, 200):
                if tell := table.get(type(event)):
                    for line in tell(event, run.job, screen(width, unicode=False)):
                        assert line.text.isascii(), line.text


@pytest.mark.transcripts
def test_a_wide_screen_shows_every_field_of_a_step() -> None:
    for seed in range(100):
        run = run_of(seed, recipe=LANGUAGE[seed % 4])
        for width in (219, 300):  # at 200 a run of 100,000 steps leaves a field out
            for text in lines(run, width, events.Step, every=20):
                assert re.fullmatch(".*" + STEP.pattern.partition(r" INFO ")[2], text), text


@pytest.mark.transcripts
def test_eighty_columns_show_what_matters_most() -> None:
    for seed in range(100):
        first, *_ = lines(run_of(seed, dialect="pytorch"), 80, events.Step, every=1000)
        assert re.search(r"step +[\d,]+/[\d,]+ .*loss .* lr \d\.\d\de-\d\d .*tok/s", first), first


def test_the_narrowest_screen_shows_step_and_loss(few: list[Run]) -> None:
    for run in few:
        for text in lines(run, 20, events.Step):
            assert re.match(r" *[\d,]+  loss +-?\d+\.\d{4}", text), text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_fields_of_a_step_stand_still(few: list[Run], width: int) -> None:
    names = r"\bloss|\bppl|\bgnorm|\blr|tok/s|seq/s|s/step|\bmem|GiB|\bmfu|\beta|step "
    for run in few:
        texts = lines(run, width, events.Step)
        # Where a field's name or unit stands.
        marks = {tuple(match.span() for match in re.finditer(names, text)) for text in texts}
        assert len(marks) == 1, (width, run.job.seed)
        assert len({len(text) for text in texts}) == 1


class Shown(NamedTuple):
    """What the text of a run says before its first step."""

    batch: int
    sequence: int
    ramp: tuple[tuple[int, int], ...]  # steps, and the sequences from them on
    flops: float
    flops_off: float  # half of the last digit that is shown
    peak: float
    capacity: float
    warmup: int
    decay: str
    high: float
    low: float


def shown(text: str) -> Shown:
    def find(pattern: str) -> tuple[str, ...]:
        match = re.search(pattern, text)
        assert match, pattern
        return match.groups()

    tokens, batch, sequence = map(number, find(r"Batch ([\d,]+) tokens = ([\d,]+) x ([\d,]+)"))
    assert tokens == batch * sequence
    (gpus,) = map(number, find(r"All ([\d,]+) ranks are up"))
    (giga,) = find(r"([\d.]+) GFLOP per token")
    (teraflops,) = find(r" ([\d.]+) TFLOP/s dense bf16")
    warmup, _, decay, high, low = find(r" ([\d,]+)( sequences)? of warmup, (\w+) (\S+) -> (\S+),")
    ramp = re.search(r"Batch ramp: .*", text)
    stages = re.findall(r"([\d,]+)(?: sequences| from step ([\d,]+))", ramp[0] if ramp else "")
    return Shown(
        batch=int(batch),
        sequence=int(sequence),
        ramp=tuple((int(number(first or "1")), int(number(size))) for size, first in stages),
        flops=float(giga) * 1e9,
        flops_off=0.5 * 0.1 ** decimals(giga) * 1e9,
        peak=gpus * float(teraflops) * 1e12,
        capacity=float(find(r"% of ([\d.]+)GiB\)")[0]),
        warmup=int(number(warmup)),
        decay=decay,
        high=float(high),
        low=float(low),
    )


def number(text: str) -> float:
    return float(text.replace(",", ""))


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


def rounded(value: float, like: str) -> float:
    """The value with as many decimals as the text has."""
    return float(f"{value:.{decimals(like)}f}")


def seconds(eta: str) -> tuple[float, float]:
    """A printed time, and how far it may be off."""
    if "d" in eta:
        days, hours = eta.rstrip("h").split("d ")
        return int(days) * 86_400 + int(hours) * 3600 + 1800, 1801
    hour, minute, second = map(int, eta.split(":"))
    return hour * 3600 + minute * 60 + second, 1


def batch_of(plan: Shown, step: int) -> int:
    """Sequences of a step."""
    return [plan.batch, *(size for first, size in plan.ramp if first <= step)][-1]


def sequences(plan: Shown, step: int) -> int:
    """Those of all steps so far."""
    stages = plan.ramp or ((1, plan.batch),)
    ends = [*(first for first, _ in stages[1:]), step + 1]
    counts = [min(end, step + 1) - first for (first, _), end in zip(stages, ends, strict=True)]
    return sum(size * max(0, n) for (_, size), n in zip(stages, counts, strict=True))


def learning_rate(plan: Shown, step: int, steps: int) -> float:
    if plan.ramp:  # the schedule goes by sequences
        step, steps = sequences(plan, step), sequences(plan, steps)
    if step <= plan.warmup:
        return plan.high * step / plan.warmup
    done = (step - plan.warmup) / (steps - plan.warmup)
    left = {
        "cosine": (1 + cos(pi * done)) / 2,
        "linear": 1 - done,
        "wsd": 1 - sqrt(max(0, done - 0.8) / 0.2),
    }[plan.decay]
    return plan.low + (plan.high - plan.low) * left


def check_step(fields: dict[str, str], before: dict[str, str] | None, plan: Shown) -> None:
    value = {name: number(text) for name, text in fields.items() if name not in ("stamp", "eta")}
    step, steps, pace = int(value["step"]), int(value["steps"]), value["pace"]
    assert rounded(exp(value["loss"]), fields["perplexity"]) == value["perplexity"]
    rounding = 0.51 * 0.1 ** decimals(fields["pace"])
    # Both numbers are rounded as they are shown: tokens/s to whole ones.
    off = rounding + 0.51 * pace / value["tokens"]
    assert pace == pytest.approx(batch_of(plan, step) * plan.sequence / value["tokens"], abs=off)
    assert value["samples"] == pytest.approx(value["tokens"] / plan.sequence, rel=1e-4, abs=0.06)
    mfu = 100 * value["tokens"] * plan.flops / plan.peak
    # All three numbers are rounded as they are shown: the share to 0.01, tokens/s to whole ones.
    off = 0.005 + mfu * (plan.flops_off / plan.flops + 0.5 / value["tokens"])
    assert value["mfu"] == pytest.approx(mfu, abs=1.01 * off)
    assert value["percent"] == pytest.approx(100 * value["memory"] / plan.capacity, abs=0.52)
    expected = learning_rate(plan, step, steps)
    assert value["rate"] == pytest.approx(expected, rel=0.006, abs=0.01 * plan.high)
    assert value["epoch"] == -(-step // (steps // int(value["epochs"])))
    if before:
        gap = stamp(fields["stamp"]) - stamp(before["stamp"])
        length = step - int(number(before["step"]))
        # Stamps have milliseconds, rounded down.
        assert gap == pytest.approx(pace * length, abs=0.0011 + rounding * length)


def stamp(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").timestamp()


@pytest.mark.transcripts
def test_the_identities_hold_on_the_text_alone(fifty: list[Run]) -> None:
    """Of runs from step 1 on: the steps before a part are in no log of its own."""
    whole = [run for run in fifty if run.job.schedule.first_step == 1]
    assert len(whole) > 30
    for run in whole:
        text = list(told(run, 200))
        plan = shown("\n".join(text))
        before: dict[str, str] | None = None
        spent, last, parsed = 0.0, 0.0, 0
        for line in text:
            if match := STEP.fullmatch(line):
                fields = match.groupdict()
                check_step(fields, before, plan)
                step, steps = number(fields["step"]), number(fields["steps"])
                spent += number(fields["pace"]) * (step - last)
                eta, off = seconds(fields["eta"])
                done = sequences(plan, int(step))
                left = sequences(plan, int(steps)) - done
                rounded_off = 0.0005 / number(fields["pace"])  # of three digits after the point
                assert eta == pytest.approx(spent / done * left, rel=rounded_off + 1e-3, abs=off)
                before, last, parsed = fields, step, parsed + 1
            elif "INFO" in line or "%|" in line:  # something else happens, and takes its time
                before = before and {**before, "stamp": line[:23]} if "Saved" in line else None
        assert parsed == len(run.all(events.Step))


@pytest.mark.transcripts
def test_validation_and_bars_agree_with_themselves(fifty: list[Run]) -> None:
    for run in fifty:
        best = float("inf")
        for line in told(run, 200):
            if match := re.search(r"validation at .* loss ([\d.]+)  ppl ([\d.,]+)(.*)", line):
                value, perplexity, rest = match.groups()
                assert rounded(exp(float(value)), perplexity) == number(perplexity)
                assert ("(best)" in rest) == (float(value) <= best) or float(value) == best
                best = min(best, float(value))
            if match := re.search(r"(\d+)%\|.*\| (\d+)/(\d+) \[", line):
                percent, done, total = map(int, match.groups())
                assert percent == pytest.approx(100 * done / total, abs=0.51)


def test_a_step_is_shown_before_its_collectives(few: list[Run]) -> None:
    for run in few:
        kinds = [type(event) for event in run.events if not isinstance(event, events.Slowed)]
        for index, kind in enumerate(kinds):
            if kind is events.Collectives:
                assert kinds[index - 1] is events.Step


def test_one_gpu_speaks_of_no_ranks() -> None:
    text = "\n".join(told(run_of(1, gpus=1, recipe="pretrain"), 250))
    assert not re.search(r"\brank|NCCL|RCCL|mesh|[Bb]roadcast|rendezvous|torchrun|\bDDP", text)
    assert "$ python train.py" in text


@pytest.mark.parametrize("asked", ASKED_FOR, ids=str)
def test_the_command_that_plays_the_run_again_is_told_whole(asked: dict[str, object]) -> None:
    run = run_of(1, **asked)
    for width in (60, 80, 200):
        lines_told = lines(run, width, events.Summary)
        start = next(i for i, text in enumerate(lines_told) if text.startswith("Same run again:"))
        words = " ".join(text.removesuffix("\\") for text in lines_told[start:]).split()
        assert " ".join(words).removeprefix("Same run again: ") == run.job.command


def test_the_summary_says_what_the_events_say(fifty: list[Run]) -> None:
    for run in fifty:
        told_once = run.only(events.Summary)
        text = "\n".join(lines(run, 120, events.Summary))
        for part in (
            f"{told_once.steps:,}",
            f"{told_once.tokens:,}",
            f"{told_once.gpu_hours:,.1f}",
            f"{told_once.first_loss:.4f} -> {told_once.final_loss:.4f}",
            # The loss of reinforcement learning is a distance: no validation is the best.
            "" if run.job.recipe.name == "grpo" else f"best {told_once.best_validation:.4f}",
        ):
            assert part in text


def test_tokens_by_the_time_in_steps_are_the_throughput(fifty: list[Run]) -> None:
    """A reader's arithmetic on the printed numbers alone; the times are rounded to a second."""
    checked = 0
    for run in fifty:
        text = "\n".join(lines(run, 200, events.Summary))
        whole, in_steps = (
            seconds_of(found) for found in re.findall(r"training time +(.+?), (.+?) of it", text)[0]
        )
        tokens, rate = (
            int(re.findall(f"{name} +([\\d,]+)", text)[0].replace(",", ""))
            for name in ("tokens", "throughput")
        )
        assert in_steps <= whole + 1, run.job.command
        if in_steps < 360_000:  # a longer time is rounded to an hour
            checked += 1
            assert abs(tokens / rate - in_steps) <= 0.5 + in_steps / rate, run.job.command
    assert checked > 20


def seconds_of(text: str) -> int:
    """Seconds in 2:31:12, or in 20d 07h."""
    if "d" in text:
        days, hours = re.findall(r"\d+", text)
        return int(days) * 86_400 + int(hours) * 3600 + 3599
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def test_shards_are_named_where_their_names_fit(few: list[Run]) -> None:
    for run in few:
        assert lines(run, SHARD_WIDTH - 1, events.ShardWritten) == []
        assert len(lines(run, SHARD_WIDTH, events.ShardWritten)) == len(
            run.all(events.ShardWritten)
        )


@pytest.mark.parametrize(("lost", "said"), [(0, "0 steps"), (1, "1 step"), (1200, "1,200 steps")])
def test_steps_to_run_again_are_counted_in_english(lost: int, said: str) -> None:
    job = run_of(3).job._replace(attempt=2)
    resumed = events.Resumed(60.0, 500, "checkpoints/a/step-000500", 10**9, 1.5, lost)
    line, *_ = lines_of("pytorch")[events.Resumed](resumed, job, screen(200))
    assert line.text.endswith(f", {said} to run again")
