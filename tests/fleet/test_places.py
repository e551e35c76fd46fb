"""What stands in a data set's folder beside its tables."""

from pathlib import Path

import pytest

from llmsim.fleet.places import BEGUN, FleetError, Places, begin, mark_name


def places(root: Path) -> Places:
    return Places(root=str(root), answers="", digest="d", scratch="")


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", "3"])
def test_a_damaged_file_of_its_own_gets_one_sentence(tmp_path: Path, content: str) -> None:
    mark = tmp_path / mark_name(0)
    mark.parent.mkdir(parents=True)
    begun = tmp_path / BEGUN
    for file in (begun, mark):
        file.write_text(content, encoding="utf-8")
    with pytest.raises(FleetError, match=f"{begun.name} .* is not as llmsim fleet writes it"):
        begin(places(tmp_path), 100)
    with pytest.raises(FleetError, match=f"{mark.name} .* is not as llmsim fleet writes it"):
        places(tmp_path).mark(0)
