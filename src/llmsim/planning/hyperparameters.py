"""Usual learning rates and batches."""

from math import floor, log10

from llmsim.job.recipes import Recipe
from llmsim.physics.learning.usual_rate import batch_tokens_for, peak_learning_rate

# Leading digits of learning rates as people type them.
TYPED = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def peak_rate(recipe: Recipe, parameters: int) -> float:
    """The recipe's peak learning rate for a model of this many weights, as people type it."""
    rate = recipe.rate * (peak_learning_rate(parameters) if recipe.relative else 1.0)
    exponent = floor(log10(rate))
    typed = [float(f"{digits}e{power}") for power in (exponent, exponent + 1) for digits in TYPED]
    return min(typed, key=lambda value: abs(log10(value / rate)))


def usual_batch_tokens(recipe: Recipe, parameters: int) -> int:
    """The usual number of tokens in an optimizer step of the recipe."""
    return recipe.batch_tokens or batch_tokens_for(parameters)
