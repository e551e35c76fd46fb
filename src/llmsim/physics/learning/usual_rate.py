"""The learning rate, the batch and the warmup that are usual for a model's size.

Peak rates by size are GPT-3's at 125M (Brown et al. 2020, table 2.1), then OLMo 2's (1B, 7B, 13B),
Llama 2's (34B, 70B) and Llama 3's (405B); batches are GPT-3's, Llama 2's and Llama 3's in whole
powers of two. Rates are dimensionless as every optimizer takes them.
"""

from collections.abc import Sequence
from math import exp, log, log2

# Parameters, peak learning rate, tokens per step; see above.
SIZES = (125e6, 1e9, 7e9, 13e9, 34e9, 70e9, 405e9)
PEAK_RATES = (6e-4, 4e-4, 3e-4, 3e-4, 1.5e-4, 1.5e-4, 0.8e-4)
BATCHES = (2.0**19, 2.0**20, 2.0**21, 2.0**21, 2.0**22, 2.0**22, 2.0**24)

# Parameters, warmup steps: GPT-2 in llm.c; Llama 2, 7B and 70B; Llama 3, 405B.
WARMUP_SIZES = (124e6, 7e9, 70e9, 405e9)
WARMUPS = (700.0, 2000.0, 2000.0, 8000.0)
WARMUP_SHARE = 10  # a warmup is at most a tenth of the run


def _log_linear(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """y at x on straight lines in log x and log y through the rows; flat outside, exact at a
    row.
    """
    if x <= xs[0]:
        return ys[0]
    if x >= xs[-1]:
        return ys[-1]
    i = sum(row <= x for row in xs)
    if x == xs[i - 1]:
        return ys[i - 1]
    part = log(x / xs[i - 1]) / log(xs[i] / xs[i - 1])
    return ys[i - 1] * exp(part * log(ys[i] / ys[i - 1]))


def peak_learning_rate(parameters: int) -> float:
    """The peak rate published for this size. 125M: 6e-4, 7B: 3e-4, 70B: 1.5e-4, 405B: 8e-5."""
    return _log_linear(parameters, SIZES, PEAK_RATES)


def batch_tokens_for(parameters: int) -> int:
    """Tokens per optimizer step usual for this size, a power of two. 125M: 0.5M, 405B: 16M."""
    return int(2 ** round(log2(_log_linear(parameters, SIZES, BATCHES))))


def warmup_steps(parameters: int, steps: int) -> int:
    """Warmup steps usual for this size: 700 at 124M, 2000 at 7B, at most a tenth of the run."""
    usual = round(_log_linear(parameters, WARMUP_SIZES, WARMUPS))
    return max(1, min(usual, steps // WARMUP_SHARE))
