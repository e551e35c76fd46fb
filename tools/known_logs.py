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
        "a whole log of 8 x H200 (November 2025); Qwen3-0.6B without a filter of ranks (January "
        "2026); pytorch/torchtitan pull requests 1287, 2389, 3393",
        "2026's releases print the loss with five decimals; without a filter all ranks of a node "
        "print, ours are one of each node",
    ),
    Compared(
        "megatron",
        "a whole log of core 0.12 (April 2025); a run of 1.7B on Leonardo (core 0.11, March 2025); "
        "a course's logs on 4 GPUs (before core 0.9, September 2024); a fork's on 8 GPUs (November "
        "2025); NVIDIA/Megatron-LM issue 756",
        "weights in a bucket stand in the order of a set; number of zeros only if it is asked for; "
        "core 0.11 and forks mark their lines; --release core_v0.8.0 prints 2024's; above 8 nodes "
        "NCCL speaks on the first alone",
    ),
    Compared(
        "nanotron",
        "a run on Leonardo (December 2025); two smoke runs of 2026; huggingface/nanotron issue 390 "
        "and a log of August 2024",
        "forks drop eta or put the learning rate before lm_loss; 2024's release names times in ms",
    ),
    Compared(
        "olmo",
        "allenai/OLMo issue 692 (August 2024); a log of April 2024; a reader of 0.6's logs",
        "on a terminal OLMo's lines are Rich's, ours are always those of a file or a pipe; the "
        "header of April 2024 has no epoch",
    ),
    Compared(
        "deepspeed",
        "logs of 0.10, 0.13 and 0.14; a pipeline's log and 0.16.9 under LLaMA-Factory (January "
        "2026); deepspeedai/DeepSpeed issues 1825, 3742, 5779; huggingface/trl issue 2784",
        "older releases say less of ZeRO's memory; 2026's pipeline says which topology it uses; "
        "line numbers of 0.16's config.py; memory reports are 0.24 s apart, ours less",
    ),
    Compared(
        "maxtext",
        "a v5p-8's log in MaxText's guide; a mixture of 295B on v5p-256 and a guide of v7x (2026); "
        "logs of v5e and of GPUs (March 2024); AI-Hypercomputer/maxtext pull request 4847",
        "later releases add lm_loss and perplexity, and absl's prefix to each line",
    ),
    Compared(
        "mlperf",
        "Llama 3.1 8B on 8 x MI355X (October 2025, May 2026); AMD-AGI/Primus pull request 656; "
        "NVIDIA's Stable Diffusion; a log beside public results",
        "those are of the closed division, ours of the open one; files and line numbers are those "
        "of each submitter's code; some stand behind a rank",
    ),
    Compared(
        "hf",
        "logs of transformers 5 (2026), one of August; logs of 4.5x with dicts of numbers",
        "in a file our bars have lines of their own, tqdm's are cut by carriage returns; our rate "
        "is the mean of the call except after a resume, tqdm's forgets",
    ),
    Compared(
        "trl",
        "SFT logs of 2026, one of August; a GRPO log with strings for numbers (2026) and two of "
        "2025",
        "they are of older releases, which name entropy, num_tokens and clip_ratio in another "
        "order, warn of new PAD and BOS tokens, and call a length completion_length",
    ),
    Compared(
        "nanogpt",
        "karpathy/nanoGPT issues 110, 178 and 215 and pull request 705; a TinyStories run on an "
        "A100 with its counts of tensors",
        "2023's lines have no MFU; forks add a perplexity",
    ),
    Compared(
        "llmc",
        "1.56B on 8 x H100 (karpathy/llm.c discussion 677); 124M on one A100, on an A800, on an "
        "RTX 5090 and on a GPU that llm.c has no peak of (2026)",
        "a build without NCCL says that it has none; theirs generate text now and then, ours has "
        "that switched off; 2024's allocates in another order",
    ),
    Compared(
        "lightning",
        "a benchmark of saves to GCS with 658 M weights (2.3); two runs with the modes of modules "
        "(2.4); a table of 2.6 with FLOPs; a CIFAR run with a monitored metric",
        "releases before 2.6 have no column of FLOPs, those before 2.3 none of modes; v_num is the "
        "logger's version; a monitored save says what it reached, ours monitors nothing",
    ),
    Compared(
        "nemo",
        "a benchmark of B200 and two runs with val_loss (October 2025); BioNeMo's ESM2 and Evo 2 "
        "(May and June 2025); Nemotron's guide on 25.07 (August 2025)",
        "callbacks add the most memory and tokens a second; BioNeMo adds val_ppl, and says when "
        "val_loss was not among the best; the guide's lines stand behind torchx's task",
    ),
)
