"""What llm.c's train_gpt2.cu prints, statement by statement, at the commit in framework.py.

printf0 prints in process 0 alone. "evaluating HellaSwag: 10/79", which every process rewrites with
a carriage return while it evaluates, is left out: it leaves its end behind a shorter line.
"""

import re
from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.parts.statements import SMI
from llmsim.dialects.statement import Statement, never, once, where
from llmsim.job.milestones import KEPT_SAVES
from llmsim.job.records import Job


def validated(job: Job) -> Iterable[int]:
    """step % val_loss_every == 0 || last_step, the step before the first included."""
    done = job.schedule.first_step - 1
    begins = () if done % job.schedule.validate_every else (done,)
    return (*begins, *statement.validated(job))


def asked(job: Job) -> Iterable[int]:
    """The validations that ask HellaSwag, too: all but that before the first step."""
    return [step for step in validated(job) if step]


def _deleted(job: Job) -> Iterable[int]:
    """step_delete = step - checkpoints_keep * checkpoint_every > 0, after each save."""
    back = KEPT_SAVES * job.schedule.save_every
    return [step - back for step in statement.saved(job) if step > back]


def _states(job: Job) -> Iterable[int]:
    """Each process's own file; mpirun's output has the lines of all."""
    return [step for step in statement.saved(job) for _ in range(job.layout.gpus)]


def _is_sharded(job: Job) -> bool:
    return job.layout.sharding != "ddp"


def _row(name: str, line: int, label: str, value: str) -> Statement:
    """A row of the table; a value that is longer than its column pushes the edge out."""
    cell = re.escape(f"{label:<21}")
    return Statement(name, f"train_gpt2.cu:{line}", rf"\| {cell} \| (?=.{{50}}){value} +\|")


def _is_shorter(job: Job) -> bool:
    return job.schedule.sequence < job.architecture.context


def _warned(name: str, line: int, text: str) -> Statement:
    return Statement(name, f"train_gpt2.cu:{line}", text, where(_is_shorter),
                     guard="T < model.config.max_seq_len")  # fmt: skip


_FLOAT, _WHOLE, _E = r"\d+\.\d{6}", r"\d+", r"\d\.\d{6}e[+-]\d\d"
_Z = r"\([+-](?:nan|inf|\d+\.\d\d)z\)"

STATEMENTS = (
    *SMI,
    Statement("edge", "train_gpt2.cu:1523", r"\+-{23}\+-{52}\+", lambda _job: (0,) * 8),
    _row("heading", 1524, "Parameter", "Value"),
    _row("train-data", 1526, "train data pattern", r"\S+"),
    _row("val-data", 1527, "val data pattern", r"\S+"),
    _row("out", 1528, "output log dir", r"\S+"),
    _row("save-every", 1529, "checkpoint_every", _WHOLE),
    _row("resume", 1530, "resume", "[01]"),
    _row("micro", 1531, "micro batch size B", _WHOLE),
    _row("sequence", 1532, "sequence length T", _WHOLE),
    _row("batch", 1533, "total batch size", _WHOLE),
    _row("scheduler", 1534, "LR scheduler", "(?:cosine|linear|constant|wsd)"),
    _row("lr", 1535, "learning rate (LR)", _E),
    _row("warmup", 1536, "warmup iterations", _WHOLE),
    _row("final-lr", 1537, "final LR fraction", _E),
    _row("decay", 1538, "weight decay", _E),
    _row("skip-loss", 1539, "skip update lossz", _FLOAT),
    _row("skip-norm", 1540, "skip update gradz", _FLOAT),
    _row("max-steps", 1541, "max_steps", _WHOLE),
    _row("val-every", 1542, "val_loss_every", _WHOLE),
    _row("val-max", 1543, "val_max_steps", _WHOLE),
    _row("sample-every", 1544, "sample_every", _WHOLE),
    _row("gen", 1545, "genT", _WHOLE),
    _row("overfit", 1546, "overfit_single_batch", "[01]"),
    _row("master", 1547, "use_master_weights", "(?:en|dis)abled"),
    _row("gelu", 1548, "gelu_fusion", "[012]"),
    _row("recompute", 1549, "recompute", "[012]"),
    _row("device", 1554, "device", r"\S.*\S"),
    _row("peak", 1555, "peak TFlops", r"-?\d+\.\d"),
    _row("precision", 1556, "precision", "BF16"),
    _row("init", 1591, "weight init method", r"(?:intermediate checkpoint|\S+)"),
    _row("max-sequence", 1592, "max_sequence_length T", _WHOLE),
    _row("vocabulary", 1593, "vocab_size V", _WHOLE),
    _row("padded", 1594, "padded_vocab_size Vp", _WHOLE),
    _row("layers", 1595, "num_layers L", _WHOLE),
    _row("heads", 1596, "num_heads NH", _WHOLE),
    _row("channels", 1597, "channels C", _WHOLE),
    _row("weights", 1598, "num_parameters", _WHOLE),
    _row("train-batches", 1622, "train_num_batches", _WHOLE),
    _row("val-batches", 1623, "val_num_batches", _WHOLE),
    _row("hellaswag-run", 1634, "run hellaswag", "(?:yes|no)"),
    Statement("zero-off", "llmc/zero.cuh:563", r"\| Zero Optimization is disabled {46}\|",
              where(lambda job: not _is_sharded(job)), guard="zero_stage == 0"),
    _row("processes", 1639, "num_processes", _WHOLE),
    _row("zero", 1640, "zero_stage", "[01]"),
    Statement("bytes", "train_gpt2.cu:1649", r"num_parameters: \d+ => bytes: \d+"),
    Statement("allocated", "train_gpt2.cu:1650", r"allocated \d+ MiB for model parameters"),
    Statement("product", "train_gpt2.cu:1652",
              r"batch_size B=\d+ \* seq_len T=\d+ \* num_processes=\d+ and total_batch_size=\d+"),
    Statement("accumulation", "train_gpt2.cu:1654", r"=> setting grad_accum_steps=\d+"),
    Statement("created", "llmc/utils.h:188", r"created directory: \S+",
              where(statement.begins), guard="process 0, a new folder"),
    Statement("gradients", "train_gpt2.cu:368", r"allocating \d+ MiB for parameter gradients"),
    Statement("activations", "train_gpt2.cu:262", r"allocating \d+ MiB for activations"),
    Statement("m", "train_gpt2.cu:398", r"allocating \d+ MiB for AdamW optimizer state m"),
    Statement("v", "train_gpt2.cu:399", r"allocating \d+ MiB for AdamW optimizer state v"),
    Statement("copy", "train_gpt2.cu:407", r"allocating \d+ MiB for master copy of params"),
    Statement("usage", "train_gpt2.cu:420", r"device memory usage: \d+ MiB / \d+ MiB"),
    Statement("per-sequence", "train_gpt2.cu:426", r"memory per sequence: \d+ MiB"),
    Statement("most", "train_gpt2.cu:427", r" -> estimated maximum batch size: \d+"),
    Statement("bangs", "train_gpt2.cu:1691", "!!!!!!!!",
              where(_is_shorter, lambda _job: (0, 0)), guard="T < model.config.max_seq_len"),
    _warned("warning", 1692, "WARNING:"),
    _warned("training-length", 1693, r"- The training sequence length is: T=\d+ \(set with -t\)"),
    _warned("model-length", 1694, r"- The model's max sequence length is: max_seq_len=\d+"),
    _warned("attempting", 1695, r"You are attempting to train with a sequence .* model's max\."),
    _warned("unused", 1696, r"This will lead to unused parameters in the wpe .* weights\."),
    _warned("ignore", 1697, r"If you know what you're doing you can ignore this warning\."),
    _warned("misconfiguring", 1698, r"If you're like \?\?\?, you are .* your training run\."),
    _warned("hint", 1699, r"---> HINT: If you're training GPT-2 use -t 1024\. If GPT-3, .*\."),
    Statement("validation", "train_gpt2.cu:1728", rf"val loss {_FLOAT}", validated),
    Statement("hellaswag", "train_gpt2.cu:1747", rf"HellaSwag: \d+/10042 = {_FLOAT}",
              asked, guard="run_hellaswag, and not at step 0"),
    Statement("saving", "train_gpt2.cu:1318", r"Writing checkpoint at step (?P<step>\d+)",
              statement.saved, guard="step > 0 && step % checkpoint_every == 0 || last_step"),
    Statement("model", "train_gpt2.cu:432", r"Writing model to \S+/model_(?P<step>\d{8})\.bin",
              statement.saved, guard="rank == 0"),
    Statement("state", "train_gpt2.cu:1210",
              r"Writing state to \S+/state_(?P<step>\d{8})_\d{5}\.bin", _states, "all"),
    Statement("deleting", "train_gpt2.cu:1339", r"Deleting checkpoint at step (?P<step>\d+)",
              _deleted, guard="checkpoints_keep > 0 && step_delete > 0"),
    Statement("step", "train_gpt2.cu:1872",
              rf"step +(?P<step>\d+)/\d+ \| loss {_FLOAT} {_Z}\| norm \d+\.\d{{4}} {_Z}\| "
              r"lr \d\.\d\de[+-]\d\d \| \d+\.\d\d ms \| -?\d+\.\d% bf16 MFU \| \d+ tok/s",
              statement.each_step),
    Statement("average", "train_gpt2.cu:1887", rf"total average iteration time: {_FLOAT} ms", once),
    Statement("sample", "train_gpt2.cu:1762", "generating:", never, guard="sample_every > 0"),
)  # fmt: skip

ORDER = """
smi* edge heading edge train-data val-data out save-every resume micro sequence batch scheduler lr
warmup final-lr decay skip-loss skip-norm max-steps val-every val-max sample-every gen overfit
master gelu recompute edge device peak precision edge
init max-sequence vocabulary padded layers heads channels weights edge
train-batches val-batches edge hellaswag-run edge zero-off? processes zero edge
bytes allocated product accumulation created? gradients activations m v copy usage per-sequence most
(bangs warning training-length model-length attempting unused ignore misconfiguring hint bangs)?
(validation hellaswag?)? step
(step | validation hellaswag | sample | saving (model state* | state+ model state*) deleting?)*
average
"""
