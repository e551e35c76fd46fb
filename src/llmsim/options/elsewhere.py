"""What people type for an option that there is not, and what does that job.

The nearest spelling of `--loop` is `--color`, which helps nobody. So a name that other programs
have is answered with what does its job here; what a job file can say is answered with its section;
and only a name that is neither has a spelling suggested.
"""

from collections.abc import Iterator, Mapping

from llmsim.text.wording import nearest

# Names by what does their job. An answer that begins with "--" is an option, and its value.
_ANSWERS: tuple[tuple[str, str], ...] = (
    ("--runs 0", "loop loops forever endless repeat"),
    ("--speed-factor X", "speed fast slow rate"),
    ("--speed-factor max", "no-delay nodelay instant no-sleep"),
    ("--duration TIME", "length time minutes show-time"),
    ("--exit-after-time TIME", "timeout stop-after"),
    ("--from training", "skip-launch no-launch skip skip-intro"),
    ("--from MOMENT", "seek begin offset at"),
    ("--view wall", "wall fullscreen full-screen dashboard"),
    ("--view log", "no-board plain headless no-tui no-ui"),
    ("--color never", "no-color no-colour monochrome colour"),
    ("--theme NAME", "dark light palette"),
    ("--export KIND=PATH", "record gif video mp4 cast jsonl csv parquet tensorboard wandb"),
    ("--seed N", "random-seed random-state"),
    ("--start TIME", "date now start-time timestamp"),
    ("--dialect NAME", "framework trainer style format log-format"),
    ("--list WHAT", "list-models list-gpus list-dialects list-modules modules"),
    ("llmsim --print-config shows the plan", "dry-run plan show-config"),
    ("--incident KIND@WHEN", "fail failure fault crash error oom kill inject"),
    ("--incidents none", "no-incidents no-failures no-faults"),
    ("--jokes no", "serious sober no-jokes no-joke no-farewell farewell no-humor no-humour no-fun"),
    ("--recipe NAME", "task objective sft dpo grpo lora pretrain stage"),
    ("--gpu NAME", "device accelerator hardware gpu-type h100 a100"),
    ("--gpus N", "nodes num-nodes nnodes nproc-per-node num-gpus n-gpus world-size ranks devices"),
    ("--model NAME", "model-name arch architecture size model-size parameters params"),
    ("--dataset NAME", "data corpus data-path train-data"),
    ("--steps N", "max-steps train-iters iterations iters total-steps num-steps max-iters"),
    ("--tokens N", "train-tokens total-tokens num-tokens"),
    ("--lr RATE", "learning-rate peak-lr max-lr"),
    ("--batch N", "batch-size global-batch-size train-batch-size"),
    ("--micro-batch N", "micro-batch-size per-device-train-batch-size local-batch-size mbs"),
    ("--sequence N", "seq-len seq-length sequence-length context-length max-length block-size"),
    ("--tp N", "tensor-parallel tensor-parallel-size tensor-model-parallel-size"),
    ("--pp N", "pipeline-parallel pipeline-parallel-size pipeline-model-parallel-size"),
    ("--cp N", "context-parallel context-parallel-size"),
    ("--ep N", "expert-parallel expert-parallel-size expert-model-parallel-size"),
    ("--sharding NAME", "zero zero-stage fsdp ddp"),
    ("--recompute NAME", "activation-checkpointing gradient-checkpointing ac"),
    ("--precision NAME", "dtype bf16 fp16 fp8 mixed-precision"),
    ("--log-every N", "log-interval logging-steps log-freq log-frequency"),
    (
        "lines are as wide as the terminal; a pipe's are as wide as the variable COLUMNS says",
        "width columns cols size",
    ),
    (
        "redirect the log (llmsim > train.log), or write it for other tools by --export",
        "output out file log-file logfile log-dir output-dir save-to",
    ),
    (
        "the loss follows from model, data and recipe, and nobody can set it",
        "loss final-loss target-loss start-loss initial-loss",
    ),
    (
        "the speed follows from model, GPUs and recipe, and nobody can set it",
        "mfu tokens-per-second throughput step-time",
    ),
    (
        "defaults stand in the file that LLMSIM_CONFIG names, and a whole job in one for --job",
        "config config-file settings",
    ),
    (
        "llmsim serve answers Prometheus: see llmsim serve --help",
        "listen port serve prometheus metrics exporter",
    ),
    ("llmsim smi is nvidia-smi: see llmsim smi --help", "smi nvidia-smi nvitop nvml"),
    ("llmsim grade judges rules and dashboards: see llmsim grade --help", "grade rules alerts"),
    ("llmsim fleet plays many runs: see llmsim fleet --help", "fleet workers jobs parallel count"),
    ("a run is played without a command", "run play train simulate go show"),
    (
        "nothing is trained, and nothing says more than the log: see --stream and --export",
        "verbose debug log-level quieter",
    ),
)  # fmt: skip


def answers() -> Mapping[str, str]:
    """What does the job of each name that people type."""
    return {name: answer for answer, names in _ANSWERS for name in names.split()}


def answer(name: str, prefix: str, offered: Iterator[str]) -> str:
    """The end of the sentence that refuses an option: what does its job, or a near spelling.

    `prefix` is what the user types before a name, "--" in a terminal and nothing in a page;
    `offered` are the names that there are, without it.
    """
    plain, names = name.removeprefix(prefix).replace("_", "-").lower(), list(offered)
    found = answers().get(plain, "")
    option, _, value = found.removeprefix("--").partition(" ")
    if found.startswith("--") and option in names:
        return f": {prefix}{option}{' ' if prefix else '='}{value} does that."
    if prefix and found:
        return f": {found}."
    if plain in names:
        return f": did you mean {prefix}{plain}?"
    if prefix and (section := _section(plain)):
        return f": a job file says it, as {section} (--job, docs/jobs.md)."
    near = nearest(name, [prefix + each for each in names])
    return f": did you mean {near}?" if near else ": see --help." if prefix else "."


def _section(name: str) -> str:
    """Where a job file has a key of this name, as in "validate_every in [schedule]"; "" if not."""
    from llmsim.options.job_keys import KEYS  # only for what is wrong

    key = _KEYS.get(name, name.replace("-", "_"))
    found = [row for row in KEYS if key in (row.name, row.field, f"{row.section}.{row.name}")]
    return f"{found[0].name} in [{found[0].section}]" if found else ""


# Names that frameworks have for keys of a job file.
_KEYS: Mapping[str, str] = {
    "num-layers": "layers",
    "n-layer": "layers",
    "n-layers": "layers",
    "hidden-dim": "hidden_size",
    "n-embd": "hidden_size",
    "num-attention-heads": "heads",
    "n-head": "heads",
    "n-heads": "heads",
    "num-experts": "experts",
    "ffn-hidden-size": "ffn",
    "vocab-size": "vocabulary",
    "epoch": "epochs",
    "num-epochs": "epochs",
    "num-train-epochs": "epochs",
    "warmup-steps": "warmup",
    "lr-warmup-iters": "warmup",
    "min-lr": "final_lr",
    "lr-decay-style": "decay",
    "lr-scheduler-type": "decay",
    "eval-steps": "validate_every",
    "eval-interval": "validate_every",
    "save-steps": "save_every",
    "save-interval": "save_every",
    "checkpoint-interval": "save_every",
    "gradient-accumulation-steps": "accumulation",
    "grad-accum": "accumulation",
    "lora-r": "rank",
    "lora-rank": "rank",
    "num-generations": "group",
    "hostname": "hosts",
    "hostnames": "hosts",
    "run-name": "run.name",
    "resume": "first_step",
    "flash-attn": "attention",
    "compile": "compiled",
}
