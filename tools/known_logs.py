"""Public logs of frameworks that were laid beside ours, line by line, and what still differs.

docs/dialects.md has them as a table. A log without an address stands in a public repository that
a search for its lines finds.
"""

from llmsim.typed import NamedTuple


class Compared(NamedTuple):
    """Logs of one framework, three or more, and each difference with its reason."""

    dialect: str
    logs: str
    differs: str


COMPARED = (
    Compared(
        "torchtitan",
        "a whole log of 8 x H200 (November 2025); Qwen3-0.6B without LOG_RANK (January "
        "2026); pytorch/torchtitan pull requests 1287, 2389, 3393",
        "releases of 2026 print the loss with five decimals; without LOG_RANK all ranks of a node "
        "print, but in our logs only one rank of each node prints",
    ),
    Compared(
        "megatron",
        "a whole log of core 0.12 (April 2025); a run of 1.7B on Leonardo (core 0.11, March 2025); "
        "a course's logs on 4 GPUs (before core 0.9, September 2024); a fork's log on 8 GPUs "
        "(November 2025); NVIDIA/Megatron-LM issue 756",
        "the order of the weights in a bucket, which is the order of a Python set; the number of "
        "zeros in the gradient, which Megatron-LM prints only on request; core 0.11 and forks "
        "put a prefix before some lines; on more than 8 nodes our NCCL prints on the first node "
        "alone",
    ),
    Compared(
        "nanotron",
        "a run on Leonardo (December 2025); two smoke runs of 2026; huggingface/nanotron issue 390 "
        "and a log of August 2024",
        "forks leave out the eta, or print the learning rate before lm_loss; the release of 2024 "
        "prints times in ms",
    ),
    Compared(
        "olmo",
        "allenai/OLMo issue 692 (August 2024); a log of April 2024; a program that reads the logs "
        "of 0.6",
        "in a terminal OLMo prints with Rich, but our lines are always as in a file or a pipe; the "
        "header of April 2024 has no epoch",
    ),
    Compared(
        "deepspeed",
        "logs of 0.10, 0.13 and 0.14; a pipeline's log and 0.16.9 under LLaMA-Factory (January "
        "2026); deepspeedai/DeepSpeed issues 1825, 3742, 5779; huggingface/trl issue 2784",
        "older releases say less about ZeRO's memory; the pipeline of 2026 names its topology; "
        "config.py of 0.16 has other line numbers; real memory reports are 0.24 s apart, and "
        "our reports follow faster",
    ),
    Compared(
        "maxtext",
        "a v5p-8's log in MaxText's guide; a mixture of 295B on v5p-256 and a guide of v7x (2026); "
        "logs of v5e and of GPUs (March 2024); AI-Hypercomputer/maxtext pull request 4847",
        "later releases print lm_loss and perplexity, and put absl's prefix before each line",
    ),
    Compared(
        "mlperf",
        "Llama 3.1 8B on 8 x MI355X (October 2025, May 2026); AMD-AGI/Primus pull request 656; "
        "NVIDIA's Stable Diffusion; a log beside public results",
        "the public logs are of the closed division, and our logs are of the open division; each "
        "submitter has other files and line numbers; some logs have a rank before each line",
    ),
    Compared(
        "hf",
        "logs of transformers 5 (2026, one log of August); logs of transformers 4.50 and later "
        "with dicts of numbers",
        "in a file llmsim writes each bar as a line, but tqdm writes carriage returns between the "
        "bars; our rate is the mean since the start (except after a resume), but tqdm's rate is a "
        "moving mean",
    ),
    Compared(
        "trl",
        "SFT logs of 2026 (one log of August); a GRPO log of 2026 with strings for numbers, "
        "and two GRPO logs of 2025",
        "the public logs are of older releases, which print entropy, num_tokens and clip_ratio in "
        "another order, warn of new PAD and BOS tokens, and name a length completion_length",
    ),
    Compared(
        "nanogpt",
        "karpathy/nanoGPT issues 110, 178 and 215 and pull request 705; a TinyStories run on an "
        "A100 with its counts of tensors",
        "the lines of 2023 have no MFU; forks print a perplexity, too",
    ),
    Compared(
        "llmc",
        "1.56B on 8 x H100 (karpathy/llm.c discussion 677); 124M on one A100, on an A800, on an "
        "RTX 5090 and on a GPU whose peak llm.c does not know (2026)",
        "a build without NCCL prints a line about it; the public runs generate text now and then, "
        "and our runs do not; the program of 2024 allocates in another order",
    ),
    Compared(
        "lightning",
        "a benchmark of saves to GCS with 658 M weights (2.3); two runs with the modes of modules "
        "(2.4); a table of 2.6 with FLOPs; a CIFAR run with a monitored metric",
        "releases before 2.6 have no column of FLOPs, and releases before 2.3 no column of modes; "
        "v_num, the logger's number of the run, is always 0 in our logs; a save that monitors a "
        "metric prints the metric, but our saves monitor no metric",
    ),
    Compared(
        "nemo",
        "a benchmark of B200 and two runs with val_loss (October 2025); BioNeMo's ESM2 and Evo 2 "
        "(May and June 2025); Nemotron's guide for NeMo 25.07 (August 2025)",
        "in the public logs callbacks print tokens a second and the peak of the memory; BioNeMo "
        "prints val_ppl, and says when val_loss was not among the best; in the guide torchx's "
        "task stands before each line",
    ),
)
