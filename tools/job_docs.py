"""Writes docs/jobs.md: how a job is said in full.

python -m tools.job_docs            writes docs/jobs.md
python -m tools.job_docs --check    fails when it is out of date
"""

import sys
from collections.abc import Iterator

from llmsim.options.job_keys import KEYS, SECTIONS
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "jobs.md"

PAGE_TEXT = """\
# Jobs

This page is made by `make docs` from the table in
[src/llmsim/options/job_keys.py](../src/llmsim/options/job_keys.py).

```sh
llmsim --model Foo-8B --gpus 64 --tp 8 --batch 512 --sequence 8192 --steps 5000 --lr 3e-4
llmsim --job job.toml                              # a job from a file, which can say more
llmsim --job job.toml --steps 100                  # a flag wins over the file
llmsim --seed 7 --print-config --toml > seven.toml # writes the job of any run into a file
llmsim --job seven.toml                            # plays that run, byte for byte
```

A job file is written in TOML. You may leave out any section and any key. The planner fills in what
is missing. If several values are usual, the seed chooses one of them.

```toml
[model]
name = "OurModel"
layers = 32
hidden_size = 4096
heads = 32
kv_heads = 8
ffn = 14336
vocabulary = 128256

[cluster]
gpu = "H100 80GB HBM3"
gpus = 64

[parallel]
tp = 8
recompute = "selective"

[batch]
micro = 2
global = 512
sequence = 8192

[schedule]
tokens = "20B"
peak_lr = 3e-4
log_every = 10

[framework]
dialect = "torchtitan"
```

The next file describes a mixture of experts in fp8. Two ranks divide each sequence between them
(`cp`). The whole training has 500,000 steps. This job is a part of the training: the job resumes
from the checkpoint of step 240,000. Slurm ends the job after six hours, so no model is exported:

```toml
[model]
name = "OurMixture-8x7B"

[cluster]
gpu = "H100 80GB HBM3"
gpus = 128

[parallel]
tp = 2
cp = 2
ep = 8

[batch]
sequence = 32768

[precision]
compute = "fp8"

[schedule]
first_step = 240001
steps = 500000
time_limit = "06:00:00"

[framework]
dialect = "megatron"
```

In Python the same sections are a dictionary: `plan(Options(job={"parallel": {"tp": 8}}, seed=7,
start=...))`.

## From a framework's own configuration

```sh
llmsim --job llama3_8b.toml --gpus 64                  # torchtitan's TOML
llmsim --job train_llama3_8b_h100_fp8.sh               # a script with Megatron-LM's arguments
llmsim --job config.json,training_args.json --gpus 8   # Hugging Face's model and TrainingArguments
```

The run has the dialect of this framework. Settings that the file leaves out have the framework's
defaults.
llmsim lists once, on standard error, which settings have no effect. llmsim reads a script but never
runs the script: it uses only the script's arguments and simple variables.

## What is refused

llmsim refuses an impossible job in one sentence, which shows the calculation. A job is impossible
if

- the job does not fit into the memory,
- the numbers do not fit each other (gpus = dp x cp x tp x pp; batch = dp x micro x accumulation;
  the heads are a multiple of tp; the experts are a multiple of ep),
- the framework cannot train the job,
- the GPU cannot multiply in the job's precision.

llmsim also refuses a key that does not exist, and names the most similar key.

## Job files and flags

A flag wins over the job file. The job file wins over an environment variable and over the config
file. `--steps`
and `steps` are the number of the last step. Some keys do not have the name of the flag:

| flag | key |
|---|---|
| `--model`, `--dataset`, `--recipe` | `name` in [model], [data] and [recipe] |
| `--batch`, `--micro-batch` | `global` and `micro` in [batch] |
| `--lr` | `peak_lr` in [schedule] |
| `--precision` | `compute` in [precision] |

`command` in [run] is only a text: the last line of the log shows it as the command that plays the
run again. llmsim ignores this key if a flag changes the run. If you edit the file, delete this key.
Otherwise the log still shows the old command, which plays the old run.

{keys}
"""


def key_tables() -> str:
    """A table of each section's keys."""
    return "\n\n".join("\n".join(_table(section)) for section in SECTIONS)


def _table(section: str) -> Iterator[str]:
    yield f"## [{section}]"
    yield ""
    yield "| key | value | meaning |"
    yield "|---|---|---|"
    for key in KEYS:
        if key.section == section:
            yield f"| `{key.name}` | {key.expected} | {key.meaning} |"


def page() -> str:
    """The whole page."""
    return PAGE_TEXT.replace("{keys}", key_tables())


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
