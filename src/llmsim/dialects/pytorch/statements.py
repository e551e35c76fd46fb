"""What the house trainer prints on rank 0, statement by statement.

It is nobody's release: the source is this folder, and a place is the module and its function.
"""

import re
from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.parts.statements import bar
from llmsim.dialects.pytorch.log_lines import alone
from llmsim.dialects.statement import Statement, Steps, goes_on, once, where
from llmsim.job import milestones
from llmsim.job.records import Job
from llmsim.job.schedule import whole_run
from llmsim.run.names import RESUMED_LINES

_STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
_INFO = _STAMP + "INFO "
_SIZE = r"[\d.,]+ (?:B|kB|MB|GB|TB|PB)"
_TIME = r"(?:[\d.]+ (?:us|ms|s)|\d+ min \d+ s|\d+ h \d+ min|[\d:]+)"
_WHOLE, _FLOAT, _GIB = r"[\d,]+", r"-?[\d,]+\.\d+", r"[\d,]+(?:\.\d+)?GiB"
_SHORT = r"[\d.]+[KMBT]?"
_STEP = r"(?P<step>[\d,]+)"
_HERE = "pytorch/"
_BARS = _HERE + "training.py:_progress"


def _together(job: Job) -> bool:
    return not alone(job)


def _said(
    name: str, place: str, text: str, steps: Steps | None = once, guard: str = ""
) -> Statement:
    return Statement(name, _HERE + place, _INFO + text, steps, guard=guard)


def _epochs(job: Job) -> Iterable[int]:
    """The epochs that begin in the run: one that goes on is in the middle of its first epoch."""
    begun = milestones.epoch_of(job, job.schedule.first_step) + goes_on(job)
    return range(begun, job.schedule.epochs + 1)


def _epochs_done(job: Job) -> Iterable[int]:
    first, size = job.schedule.first_step, milestones.steps_per_epoch(job)
    return range((first - 1) // size + 1, job.schedule.steps // size + 1)


def _ramped(job: Job) -> Iterable[int]:
    return [part.first for part in job.schedule.ramp[1:]]


def _stops_early(job: Job) -> bool:
    return whole_run(job.schedule) > job.schedule.steps


def _jokes(job: Job) -> bool:
    return job.jokes


def _scheduled(job: Job) -> bool:
    return bool(job.schedule.ramp)


_LETTERS = "|".join(map(re.escape, RESUMED_LINES))

STATEMENTS = (
    Statement("command", "the shell", r"\$ (?:torchrun .*|python )train\.py --model \S+ .*"),
    Statement("command-more", "the shell", r" {4}--\S.*", None, guard="a wrapped command"),
    Statement("banner", "torch/distributed/run.py",
              r"W\d{4} \d\d:\d\d:\d\d\.\d{3}000 \d+ torch/distributed/run\.py:\d+\] "
              r"(?:|\*{41}|Setting OMP_NUM_THREADS .+)|(?:[\w.,]+ )*needed\. ?", None,
              guard="several processes on a node and no OMP_NUM_THREADS; wrapped"),
    _said("rendezvous", "launch.py:_workers_started", r"Rendezvous at \S+:\d+, run \S+",
          where(_together), "several ranks"),
    _said("software", "launch.py:_workers_started",
          r"PyTorch \S+, (?:CUDA|ROCm) [\d.]+, driver [\d.]+, Python [\d.]+, transformers [\d.]+"),
    _said("node", "launch.py:_node_detected",
          rf"\S+: \d+ x .+, {_WHOLE} MiB, \d+ W, [\d.e+]+ TFLOP/s dense bf16", None,
          "the first nodes"),
    _said("nodes", "launch.py:_nodes_detected",
          rf"\.\.\. and {_WHOLE} more nodes?: {_WHOLE} GPUs on {_WHOLE} nodes", None, "more nodes"),
    _said("rank", "launch.py:_rank_joined",
          r"rank +\d+ is up: \S+, cuda:\d+, \+\d+\.\d{3} s, bus [\dA-F:.]+, pid \d+", None,
          "the ranks of the first node"),
    _said("ranks", "launch.py:_ranks_joined",
          rf"All {_WHOLE} ranks are up after {_FLOAT} s(?:, slowest rank {_WHOLE})?",
          where(_together), "several ranks"),
    _said("communicator", "launch.py:_backend_ready",
          rf"(?:NCCL|RCCL) \S+: communicator up in {_FLOAT} s, \d+ channels, {_WHOLE} ranks on "
          rf"{_WHOLE} nodes?", where(_together), "several ranks"),
    _said("mesh", "launch.py:_mesh_built", r"Device mesh: \d-D \['\w+'(?:, '\w+')*\], \[[\d, ]+\]",
          where(_together), "several ranks"),
    _said("tokenizer", "model.py:_tokenizer_loaded",
          rf"Tokenizer: {_WHOLE} tokens, loaded in {_FLOAT} s"),
    Statement("data-bar", _BARS, bar(r"[\w.+ -]+:", "B"), None),
    Statement("shard-bar", _BARS, bar(r"(?:Index|Tokeniz)ing:", "shard"),
              None),
    _said("data", "model.py:_dataset_ready",
          rf"\S+: {_SHORT}(?: of {_SHORT})? tokens, {_WHOLE} epochs?, {_WHOLE} "
          rf"(?:prompts|sequences of {_WHOLE}), {_WHOLE} shards?, {_SIZE}"),
    _said("model", "model.py:_model_built",
          rf"\S+: {_WHOLE} parameters(?:, {_WHOLE} active)?, {_WHOLE} of them embeddings"),
    _said("config", "model.py:_config",
          rf"  \d+ layers, width {_WHOLE}, \d+ heads \(\d+ kv\)(?:, \d+ experts, \d+ active)?, "
          rf"feed-forward {_WHOLE}, vocabulary {_WHOLE}, context {_WHOLE}"),
    _said("adapter", "model.py:_model_built",
          rf"LoRA of rank \d+: {_WHOLE} trainable parameters \(\d+\.\d\d%\)",
          where(lambda job: bool(job.architecture.adapter_rank)), "adapters"),
    _said("sharded", "model.py:_model_sharded",
          rf"(?:Moved to cuda:0|Applied .+): {_WHOLE} parameters(?: per GPU)?, {_FLOAT} s"),
    _said("precision", "model.py:_model_sharded", r"Precision: .+", None, "not all is bf16"),
    _said("recompute", "model.py:_model_sharded", r"Applied \w+ activation checkpointing",
          where(lambda job: job.layout.recompute != "none"), "activations are computed again"),
    Statement("weights-bar", _BARS, bar("Loading weights:", "B"), None),
    _said("loaded", "model.py:_weights_loaded",
          rf"Loaded \S+: {_SIZE} in {_TIME}, \d+ shards?", None, "a released model"),
    _said("broadcast", "launch.py:_broadcast",
          rf"Broadcast rank 0's (?:buffers|weights): {_SIZE} in {_TIME}, bus bandwidth \d+ GB/s",
          None, "several ranks"),
    _said("resumed", "recovery.py:_resumed",
          rf"Resumed after step {_WHOLE} from \S+, {_SIZE} in {_TIME}", where(goes_on),
          "it goes on from a checkpoint"),
    Statement("letter", _HERE + "recovery.py:_resumed", _LETTERS,
              where(_jokes, where(goes_on)), guard="it goes on from a checkpoint, and may joke"),
    _said("memory", "model.py:_memory_planned",
          rf"Memory: {_GIB} after build \(\d+\.\d% of {_GIB}\)"),
    _said("peak", "model.py:_memory_planned",
          rf"Expected peak: {_GIB} = \w+ [\d.]+(?: \+ \w+ [\d.]+)*"),
    Statement("grid", _HERE + "grid.py:grid",
              r"\+- .+-\+|\|(?: ?[ \d]\d| \S+) +\d+%.*\|", None, guard="a status is due"),
    _said("batch", "model.py:_trainer_ready",
          rf"Batch {_WHOLE} (?:tokens|answers) = {_WHOLE} x {_WHOLE}(?: \([\w, ]+\))?"
          rf"(?:, up to {_WHOLE} tokens)?"),
    _said("ramp", "model.py:_trainer_ready",
          rf"Batch ramp: {_WHOLE} sequences(?:, {_WHOLE} from step {_WHOLE})+", where(_scheduled),
          "the batch grows"),
    _said("schedule", "model.py:_trainer_ready",
          rf"{_WHOLE} steps, {_WHOLE}(?: sequences)? of warmup, \w+ [\de.+-]+ -> [\de.+-]+, "
          rf"(?:{_WHOLE} prompts|{_SHORT} tokens) in all, clip 1\.0, AdamW .+"),
    _said("stops", "model.py:_trainer_ready",
          rf"This job stops after step {_WHOLE}, when its time in the queue is over",
          where(_stops_early), "a part of a longer run"),
    _said("flops", "model.py:_trainer_ready",
          r"[\d.,]+ GFLOP per token, expecting MFU of about \d+%(?:; torch\.compile is on, .*)?"),
    _said("epoch", "training.py:_epoch_started", rf"Epoch {_STEP}/\d+", _epochs),
    _said("step", "training.py:_step",
          rf"step +{_STEP}/{_WHOLE}  ep +\d+/\d+  loss +{_FLOAT}  .* tok/s .* s/step  mem .*  "
          rf"mfu +{_FLOAT}%  eta +\S.*", statement.logged),
    _said("collective", "training.py:_collectives",
          rf"  [\w/-]+ +{_TIME} \S.*\d+ x {_SIZE}, bus \d+ GB/s, exposed {_TIME}", None,
          "after step 10"),
    Statement("slow", _HERE + "training.py:_slowed",
              _STAMP + r"WARNING (?:rank [\d,]+|the node) .+", None, guard="a rank is slow"),
    _said("recovered", "training.py:_recovered",
          rf"rank {_WHOLE} is up to speed again, {_TIME} lost in {_WHOLE} steps", None,
          "a straggler has recovered"),
    Statement("epoch-bar", _BARS, bar(r"Epoch \d+/\d+:"), None),
    _said("grows", "training.py:_batch_grew",
          rf"Batch grows from {_WHOLE} to {_WHOLE} sequences, {_SHORT} tokens, \d+ accumulated",
          _ramped, "the batch grows"),
    Statement("validation-bar", _BARS, bar("Validating:", "batch"), None),
    _said("validation", "training.py:_validated",
          rf"validation at {_STEP}: loss {_FLOAT}  (?:ppl|solved|accuracy) [\d.,]+(?: \(best\))?  "
          rf"{_SHORT} tokens in {_TIME}", statement.validated),
    _said("says", "training.py:_validated", r"  says: .+",
          where(_jokes, statement.validated), "it may joke"),
    _said("saving", "saving.py:_checkpoint_started",
          rf"Saving step {_STEP}: {_SIZE} in {_WHOLE} shards? to \S+", statement.saved),
    _said("staged", "saving.py:_checkpoint_staged",
          rf"Staged step {_STEP} in {_TIME}, writing it in the background", None,
          "asynchronous saves"),
    Statement("saving-bar", _BARS, bar("(?:Saving|Staging):", "B"), None),
    _said("saved", "saving.py:_checkpoint_saved",
          rf"Saved step {_STEP}: {_SIZE} in {_TIME} \({_SIZE}/s\)", statement.saved),
    _said("deleted", "saving.py:_checkpoint_deleted",
          rf"Deleted step[-_]0*{_STEP}, {_SIZE} freed", statement.deleted),
    _said("epoch-done", "training.py:_epoch_ended",
          rf"Epoch {_STEP}/\d+ done in {_TIME}, last loss {_FLOAT}", _epochs_done),
    _said("exporting", "saving.py:_export_started",
          rf"Exporting {_SIZE} of bf16 in {_WHOLE} safetensors shards? to \S+"),
    _said("consolidated", "saving.py:_consolidated", rf"Consolidated {_SIZE} on \S+ in {_TIME}",
          None, "several nodes"),
    Statement("consolidating-bar", _BARS, bar("Consolidating:", "B"),
              None, guard="several nodes"),
    Statement("export-bar", _BARS, bar("Writing model shards:", "B"), None),
    _said("wrote", "saving.py:_shard_written",
          rf"Wrote \S+\.safetensors: {_SIZE} in {_TIME}", None),
    Statement("question-bar", _BARS, bar("Evaluating:", "question"), None),
    _said("evaluation", "saving.py:_evaluated", rf"Evaluation in {_TIME}", None, "benchmarks"),
    _said("score", "saving.py:_evaluated",
          rf"  [\w-]+ +-?[\d.]+ \+- +[\d.]+ +{_WHOLE} questions  \w+", None, "benchmarks"),
    _said("complete", "summary.py:_summary",
          rf"(?:Training complete|Stopped after step {_WHOLE} of {_WHOLE}): \S+"),
    Statement("box", _HERE + "summary.py:_boxed",
              r"\+-+\+|\| [A-Za-z][A-Za-z -]{14} \S.* \|", None),
    Statement("joke", _HERE + "summary.py:_summary", rf"(?!(?:{_LETTERS})$)[A-Z].*[.!?]",
              where(_jokes), guard="it may joke"),
    Statement("again", _HERE + "summary.py:_again", r"Same run again: llmsim .*"),
)  # fmt: skip

ORDER = """
command command-more* banner* rendezvous? software node+ nodes? rank* ranks? communicator? mesh?
tokenizer data-bar* shard-bar* data model config adapter? sharded precision? recompute?
weights-bar* loaded? broadcast? memory peak grid* (resumed letter?)? grid* batch ramp? schedule
stops? flops
(epoch?
 (step | collective | epoch-bar | slow | recovered | grid | grows | validation-bar* validation says?
  | saving saving-bar* staged? | saving-bar | saved | deleted)*
 epoch-done?)+
(saving-bar | saved | deleted)*
exporting consolidating-bar* consolidated? (export-bar | wrote)* grid* question-bar*
(evaluation score+)?
complete box+ joke? again
"""
