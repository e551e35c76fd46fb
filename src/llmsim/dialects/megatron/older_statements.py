"""What Megatron-LM prints at core 0.8.0, of which saves are torch's own files: as data for tests.

Most statements of core 0.12.0 are in it, at other lines; it has no machinery for reruns.
"""

from collections.abc import Iterable

from llmsim.dialects.statement import Statement, where
from llmsim.job.records import Job

_GONE = ("virtual", "initial", "rerun", "current", "grows", "mode", "storing", "scheduled")
_ARGUMENTS, _SET_UP = "training/arguments.py", "training/initialize.py"
_LOOP, _SAVES = "training/training.py", "training/checkpointing.py"
_THEORY = "training/theoretical_memory_usage.py"
_PLACES = {
    "world": f"{_ARGUMENTS}:184", "no-overlap": f"{_ARGUMENTS}:276",
    "unchecked": f"{_ARGUMENTS}:297", "fp32": f"{_ARGUMENTS}:307",
    "weights": f"{_ARGUMENTS}:311", "arguments": f"{_ARGUMENTS}:590",
    "argument": f"{_ARGUMENTS}:597", "arguments-end": f"{_ARGUMENTS}:598",
    "constant": "core/num_microbatches_calculator.py:119",
    "ramp": "core/num_microbatches_calculator.py:133",
    "tokenizer": "training/tokenizer/tokenizer.py:22",
    "padded": "training/tokenizer/tokenizer.py:96",
    "one-logger": "training/global_vars.py:184", "distributed": f"{_SET_UP}:231",
    "tensor": f"{_SET_UP}:268", "pipeline": f"{_SET_UP}:272", "seeds": f"{_SET_UP}:75",
    "builder": f"{_SET_UP}:119", "make": "core/datasets/utils.py:28",
    "builder-done": f"{_SET_UP}:123", "unfused": f"{_SET_UP}:153", "kernels": f"{_SET_UP}:163",
    "kernels-done": f"{_SET_UP}:175", "initialized": f"{_LOOP}:220", "dated": f"{_LOOP}:70",
    "building": "pretrain_gpt.py:54", "parameters": f"{_LOOP}:429",
    "wrapper": "core/distributed/distributed_data_parallel.py:60",
    "buckets": "core/distributed/param_and_grad_buffer.py:435",
    "bucket": "core/distributed/param_and_grad_buffer.py:435",
    "bucket-weight": "core/distributed/param_and_grad_buffer.py:435",
    "optimizer": "core/optimizer/__init__.py:304", "iterations": f"{_LOOP}:362",
    "decay": "training/optimizer_param_scheduler.py:57", "missing": f"{_SAVES}:546",
    "random": f"{_SAVES}:548", "release": f"{_SAVES}:581", "resuming": f"{_SAVES}:583",
    "version": f"{_SAVES}:847", "loaded": f"{_SAVES}:924", "timers": "core/timers.py:369",
    "load-timer": f"{_LOOP}:556",
    "datasets": f"{_LOOP}:1457", "sizes": f"{_LOOP}:1442", "size": f"{_LOOP}:1443",
    "matrix": "core/datasets/blended_megatron_dataset_config.py:107",
    "for-gpt": "pretrain_gpt.py:226",
    "splits": "core/datasets/blended_megatron_dataset_builder.py:54",
    "index": "core/datasets/indexed_dataset.py:235",
    "extract": "core/datasets/indexed_dataset.py:256",
    "documents": "core/datasets/indexed_dataset.py:306",
    "indices": "core/datasets/gpt_dataset.py:359",
    "samples": "core/datasets/gpt_dataset.py:478", "epochs": "core/datasets/gpt_dataset.py:481",
    "built": "pretrain_gpt.py:235", "done": f"{_LOOP}:275", "setup-timer": f"{_LOOP}:276",
    "data-timer": f"{_LOOP}:276", "training": f"{_LOOP}:283", "iteration": f"{_LOOP}:875",
    "blocks": f"{_THEORY}:47", "embeddings": f"{_THEORY}:51", "total": f"{_THEORY}:55",
    "shard": f"{_THEORY}:66", "others": f"{_THEORY}:77", "activation": f"{_THEORY}:105",
    "penalty": f"{_THEORY}:135", "in-flight": f"{_THEORY}:138 and 150",
    "footprint": f"{_THEORY}:173 and 184", "footprint-end": f"{_THEORY}:184",
    "memory": "training/utils.py:131", "evaluate-timer": f"{_LOOP}:1358", "rule": f"{_LOOP}:1407",
    "validation": f"{_LOOP}:1408", "saving": f"{_SAVES}:305", "saved": f"{_SAVES}:393",
    "save-timer": f"{_LOOP}:944", "evaluating": f"{_LOOP}:1284", "batch": f"{_LOOP}:1288",
    "final": f"{_LOOP}:1408",
}  # fmt: skip
# What stands in a text now, and what stood there.
_TEXTS = {
    "constant": ("number of microbatches", "number of micro-batches"),
    "bucket": (r", \d+ padded size", ""),
    "decay": (r"INFO:megatron\.core\.optimizer_param_scheduler:", ""),
    "missing": (r"iteration\.txt", r"iteration\.txt "),
    "release": ("release distributed", "release"),
    "resuming": ("loading distributed", "loading"),
    "loaded": (r"\[ t 1/\d+, p 1/\d+ \]", r"\[ t 0, p 0 \]"),
    "splits": ("GPTDataset splits with sizes=", "dataset splits with cls=GPTDataset, sizes="),
    "blocks": ("transformer block", "transformer layers"),
    "saving": ("torch_dist", "torch"),
    "saved": (r" \[ t 1/\d+, p 1/\d+ \]", ""),
}
_WHOLE_TEXTS = {
    "no-overlap": (
        r"WARNING: Setting args\.overlap_p2p_comm to False since non-interleaved schedule does not "
        r"support overlapping p2p communication"
    ),
    "world": (
        r"using world size: \d+, data-parallel size: \d+, context-parallel size: \d+ "
        r"tensor-model-parallel size: \d+, pipeline-model-parallel size: \d+ "
    ),
}


_FINAL = "evaluating batch+ timers evaluate-timer rule final rule"
_ORDER = f"""
torchrun* world no-overlap? (unchecked | fp32) weights arguments argument+ arguments-end
(constant | ramp) tokenizer padded one-logger distributed tensor pipeline seeds
builder make+ builder-done
unfused? kernels barrier* nccl* kernels-done initialized dated building parameters+ wrapper
(buckets bucket bucket-weight+)+ optimizer iterations? decay
(missing random | (release | resuming) version loaded) timers load-timer dated
datasets sizes size+ matrix for-gpt splits index extract+ documents+ (indices samples epochs)+ built
dated done timers setup-timer data-timer training dated
(iteration
 (blocks embeddings total shard others? (activation (penalty? in-flight)?)? footprint footprint-end?
  memory+)?
 | timers evaluate-timer rule validation rule
 | saving saved timers save-timer)+
(dated saving saved | dated)
{_FINAL} {_FINAL} leaked*
"""


def _whole(job: Job) -> bool:
    """Without pieces on the stages; there need be no pipeline for the warning."""
    return job.layout.interleave <= 1


def older(rows: Iterable[Statement]) -> tuple[tuple[Statement, ...], str]:
    """The table of core 0.8.0, from that of core 0.12.0, and its order."""
    return tuple(_as_it_was(each) for each in rows if each.name not in _GONE), _ORDER


def _as_it_was(row: Statement) -> Statement:
    now, was = _TEXTS.get(row.name, ("", ""))
    assert now in row.text, row.name
    text = _WHOLE_TEXTS.get(row.name) or row.text.replace(now, was, 1)
    steps = where(_whole) if row.name == "no-overlap" else row.steps
    return row._replace(place=_PLACES.get(row.name, row.place), text=text, steps=steps)
