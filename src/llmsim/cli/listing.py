"""--list: a table that fits the screen, or all fields as JSON."""

import json
from collections.abc import Iterator, Sequence
from textwrap import wrap

from llmsim.catalog import records
from llmsim.catalog.scenes import scenes
from llmsim.dialects import registry
from llmsim.errors import FLAG, OptionError
from llmsim.job import recipes
from llmsim.job.framework import Framework
from llmsim.model.architecture import active_parameter_count, config_for, parameter_count
from llmsim.run.incident_kinds import KINDS, Kind, per_million_gpu_hours

NUMBERS = ("parameters", "active", "tokens", "memory", "TDP", "TFLOP/s", "node", "rate", "rows")
GAP = "  "
# The narrowest column of prose; with less room the column is left out, as columns of numbers are.
NARROWEST_PROSE = 16

# A list is a table of 80 columns on a wider screen, too, and in a pipe.
WIDEST = 80

Row = tuple[str, ...]


def listing(kind: str, width: int) -> str:
    """The list as aligned columns under a heading; the last column is wrapped or left out to
    fit.
    """
    heading, *rows = _fitted(_table(kind), min(width, WIDEST))
    columns = []
    for title, *cells in zip(heading, *rows, strict=True):
        longest = max(map(len, (title, *cells)))
        align = str.rjust if title in NUMBERS else str.ljust
        columns.append([align(cell, longest) for cell in (title, *cells)])
    return "".join(GAP.join(row).rstrip() + "\n" for row in zip(*columns, strict=True))


def listing_json(kind: str) -> str:
    """The list as an array of records, with units in the names of their fields."""
    return json.dumps([*_records(kind)], indent=2, ensure_ascii=False) + "\n"


def _fitted(rows: Sequence[Row], width: int) -> Sequence[Row]:
    """The rows; if they are wider than the screen, their last column is wrapped or left out."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + len(GAP) * (len(widths) - 1) <= width or len(widths) == 1:
        return rows
    room = width - sum(widths[:-1]) - len(GAP) * (len(widths) - 1)
    if rows[0][-1] in NUMBERS or room < NARROWEST_PROSE:
        return _fitted([row[:-1] for row in rows], width)
    empty = ("",) * (len(widths) - 1)
    return [
        (*(row[:-1] if index == 0 else empty), part)
        for row in rows
        for index, part in enumerate(wrap(row[-1], room) or [""])
    ]


def _table(kind: str) -> list[Row]:
    """The columns of a list that help a person choose, their heading first."""
    if kind == "dialects":
        return [("dialect", "speaks as"), *map(_dialect, registry.names())]
    if kind == "recipes":
        aims = [(name, recipe.meaning) for name, recipe in recipes.RECIPES.items()]
        return [("recipe", "trains"), *aims]
    if kind == "models":
        sizes = [(m.name, _count(m.parameters), _count(m.active_parameters),
                  _mark(m)) for m in records.models()]  # fmt: skip
        return [("model", "parameters", "active", "name"), *sizes]
    if kind == "datasets":
        data = [(d.name, _count(d.tokens), d.kind, f"{d.rows:,}" if d.rows else "-", _mark(d))
                for d in records.datasets()]  # fmt: skip
        return [("dataset", "tokens", "kind", "rows", "name"), *data]
    if kind == "gpus":
        cards = [(g.name, f"{g.memory_mib} MiB", f"{g.tdp_watts} W", f"{g.tflops:g}",
                  f"{g.per_node}") for g in records.gpus()]  # fmt: skip
        return [("gpu", "memory", "TDP", "TFLOP/s", "node"), *cards]
    if kind == "incidents":
        rates = [(k.name, k.layer, f"{per_million_gpu_hours(k.name):.1f}", k.meaning)
                 for k in KINDS]  # fmt: skip
        return [("incident", "layer", "rate", "what happens"), *rates]
    if kind == "scenes":
        return [("scene", "what there is to see"), *((s.name, s.sentence) for s in scenes())]
    return [("release", "version"), *(each[:2] for each in records.releases())]


def _mark(row: records.Model | records.Dataset) -> str:
    """What kind of name it has."""
    return "funny" if row.funny else "serious"


def _count(value: float) -> str:
    for factor, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if value >= factor:
            return f"{value / factor:.4g}{unit}"
    return f"{value:.0f}"


def _records(kind: str) -> Iterator[dict[str, object]]:
    """The records of a list with all their fields."""
    if kind == "dialects":
        yield from (_framework(each) for name in registry.names() if (each := _usable(name)))
    elif kind == "recipes":
        yield from ({"name": name, **_recipe(recipe)} for name, recipe in recipes.RECIPES.items())
    elif kind == "models":
        yield from map(_model, records.models())
    elif kind == "datasets":
        yield from (data._asdict() for data in records.datasets())
    elif kind == "gpus":
        yield from map(gpu_record, records.gpus())
    elif kind == "incidents":
        yield from map(_incident, KINDS)
    elif kind == "scenes":
        yield from ({**scene._asdict(), "options": dict(scene.options)} for scene in scenes())
    else:
        yield from (release._asdict() for release in records.releases())


def _dialect(name: str) -> Row:
    """A dialect's name, and its meaning with the release and its commit.

    For a faulty dialect of another package, the fault.
    """
    try:
        framework = registry.framework_of(name)
    except OptionError as error:
        return name, error.sentence(FLAG)
    release = f" [{framework.release}, {framework.commit[:7]}]" if framework.release else ""
    return name, framework.meaning + release


def _usable(name: str) -> Framework | None:
    """The framework of this name; None if it is a faulty one of another package."""
    try:
        return registry.framework_of(name)
    except OptionError:
        return None


def _incident(kind: Kind) -> dict[str, object]:
    return {
        "name": kind.name,
        "layer": kind.layer,
        "meaning": kind.meaning,
        "per_million_gpu_hours": round(per_million_gpu_hours(kind.name), 3),
        "consequence": kind.consequence,
        "precursors": kind.precursors,
        "speaks": kind.speaks,
        "kernel_log": kind.kernel,
        "training_log": kind.log,
        "slurm": kind.slurm,
        "telemetry": kind.telemetry,
        "recovery": kind.recovery,
        "median_repair_minutes": kind.repair_minutes,
        "exit_status": kind.exit_status,
    }


def _framework(framework: Framework) -> dict[str, object]:
    return {
        "name": framework.name,
        "meaning": framework.meaning,
        "source": framework.source,
        "release": framework.release,
        "commit": framework.commit,
        "older_releases": dict(framework.older),
        "recipes": framework.recipes,
        "device": framework.device,
        "logs_every_step": framework.logs_every_step,
        "background_saves": not framework.blocking_checkpoints,
    }


def _recipe(recipe: recipes.Recipe) -> dict[str, object]:
    fewest, most = recipe.steps
    return {
        "meaning": recipe.meaning,
        "dataset_kinds": recipe.kinds,
        # A pretraining's rate and batch follow from the model's size.
        "peak_learning_rate": None if recipe.relative else recipe.rate,
        "times_pretraining_learning_rate": recipe.rate if recipe.relative else None,
        "batch_tokens": recipe.batch_tokens or None,
        "longest_sequence_tokens": recipe.longest_sequence,
        "fewest_steps": fewest,
        "most_steps": most,
        "most_epochs": recipe.epochs,
        "warmup_share": recipe.warmup,
        "decay": recipe.decay,
        "final_learning_rate_share": recipe.final_rate,
        "starts_from_released_weights": recipe.released,
        "adapter_rank": recipe.adapter_rank,
        "reference_model": recipe.reference,
    }


def _model(model: records.Model) -> dict[str, object]:
    config = config_for(model.parameters, model.active_parameters, model.experts)
    return {
        **model._asdict(),
        "exact_parameters": parameter_count(config),
        "exact_active_parameters": active_parameter_count(config),
        "layers": config.layers,
        "width": config.hidden_size,
        "vocabulary_tokens": config.vocabulary,
        "context_tokens": config.context,
    }


def gpu_record(gpu: records.Gpu) -> dict[str, object]:
    """An accelerator, with the units in the names; peaks are dense, links one direction."""
    return {
        "name": gpu.name,  # name from --list gpus
        "memory_mib": gpu.memory_mib,  # memory, as nvidia-smi prints it
        "tdp_watts": gpu.tdp_watts,  # power limit
        "bf16_tflop_per_s": gpu.tflops,  # peak of dense bf16 matrix products
        "memory_bandwidth_tb_per_s": gpu.hbm_tb_s,  # peak of its memory
        "link_gb_per_s": gpu.link_gb_s,  # peak to the other GPUs of its node, in one direction
        "network_gb_per_s": gpu.nic_gb_s,  # one GPU's share of its node's network, in one direction
        "gpus_per_node": gpu.per_node,  # GPUs of a usual node
        "form": gpu.form,  # sxm, superchip, pcie, geforce, workstation, instinct or tpu
        "clock_mhz": gpu.clock_mhz,  # highest clock at work
        "mfu_per_cent": gpu.mfu,  # usual MFU of a dense 7B model on one node with full recompute
    }
