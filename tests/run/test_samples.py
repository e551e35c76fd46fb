"""What a model says at a validation."""

from math import nan

import pytest

from llmsim.catalog.records import parse_samples, samples
from llmsim.errors import CatalogError
from llmsim.run.names import sample


@pytest.mark.parametrize("loss", [11.0, 6.0, 5.99, 3.0, 1.0, 0.1])
def test_a_sample_is_of_the_highest_level_that_the_loss_reaches(loss: float) -> None:
    """A loss below all levels has the lowest."""
    levels = sorted({each.loss for each in samples()})
    level = max((each for each in levels if each <= loss), default=levels[0])
    of_level = {each.text for each in samples() if each.loss == level}
    for seed in range(5):  # no text comes again before all have come
        assert {sample(seed, number, loss) for number in range(len(of_level))} == of_level


def test_a_model_whose_loss_is_not_a_number_says_gibberish() -> None:
    for number in range(6):
        assert sample(1, number, nan) == sample(1, number, 1e9)


def test_a_wrong_sample_is_refused_with_its_line() -> None:
    with pytest.raises(CatalogError, match=r"here line 2: .*is not a text of at most 56"):
        parse_samples("fine | 3\n" + "x" * 57 + " | 3", "here")
