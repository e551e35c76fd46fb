"""What stands in a data set's folder beside its tables."""

from pathlib import Path

import pytest

from llmsim.fleet.beginning import begin, held
from llmsim.fleet.joining import groups, joined, staged
from llmsim.fleet.parts import mark_of
from llmsim.fleet.places import BEGUN, Places, mark_name
from llmsim.fleet.stores import FleetError


def damaged(name: str) -> str:
    return f"{name} .* is not as llmsim fleet writes it: remove that file"


def places(root: Path) -> Places:
    return Places(root=str(root), answers="", digest="d", scratch="")


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", "3"])
def test_a_damaged_file_of_its_own_gets_one_sentence(tmp_path: Path, content: str) -> None:
    mark = tmp_path / mark_name(0)
    mark.parent.mkdir(parents=True)
    begun = tmp_path / BEGUN
    for file in (begun, mark):
        file.write_text(content, encoding="utf-8")
    with pytest.raises(FleetError, match=damaged(begun.name)):
        begin(places(tmp_path), 100)
    with pytest.raises(FleetError, match=damaged(mark.name)):
        places(tmp_path).mark(0)


def test_a_mark_that_lacks_something_is_damaged_too(tmp_path: Path) -> None:
    mark = tmp_path / mark_name(0)
    mark.parent.mkdir(parents=True)
    mark.write_text('{"digest":"d","part":0}', encoding="utf-8")
    with pytest.raises(FleetError, match=damaged(mark.name)):
        places(tmp_path).mark(0, mark_of)


@pytest.mark.parametrize("content", ["", "no JSON", "3", "[]", '["a", "many", "x"]', "{}"])
def test_a_damaged_mark_of_a_joined_table_gets_the_same_sentence(
    tmp_path: Path, content: str
) -> None:
    (group,) = groups("runs", [(f"{staged('runs')}/part-00000.parquet", 5, "a")])
    mark = tmp_path / group.mark
    mark.parent.mkdir(parents=True)
    mark.write_text(content, encoding="utf-8")
    with pytest.raises(FleetError, match=damaged(mark.name)):
        joined(places(tmp_path), str(tmp_path), group.sources)


def test_one_folder_has_one_fleet_at_a_time(tmp_path: Path) -> None:
    where = places(tmp_path)
    begin(where, 100)
    at_work = pytest.raises(FleetError, match="another llmsim fleet is at work in")
    with held(where), at_work, held(where):
        pytest.fail("two fleets have one folder")
    with held(where):
        assert not [*(tmp_path / "_work").iterdir()]


def test_whoever_begins_first_has_the_folder(tmp_path: Path) -> None:
    begin(places(tmp_path), 100)
    with pytest.raises(FleetError, match="was begun with another SPEC"):
        begin(places(tmp_path)._replace(digest="other"), 100)
    begin(places(tmp_path), 100)


def test_answers_go_into_a_folder_of_their_own(tmp_path: Path) -> None:
    out, answers = tmp_path / "out", tmp_path / "answers"
    where = places(out)._replace(answers=str(answers))
    answers.mkdir()
    (answers / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(FleetError, match=f"{answers} is not empty: give an empty folder"):
        begin(where, 100)
    assert not out.exists()
    (answers / "thesis.tex").unlink()
    begin(where, 100)
    elsewhere = where._replace(root=str(tmp_path / "new"))
    with pytest.raises(FleetError, match=f"{answers} was begun with another SPEC"):
        begin(elsewhere._replace(digest="other"), 100)
    with pytest.raises(FleetError, match=f"{answers} has the answers of another data set"):
        begin(elsewhere, 100)
    assert not (tmp_path / "new").exists()
    begin(where, 100)


def test_a_fleet_goes_on_with_its_answers_or_without_them(tmp_path: Path) -> None:
    where = places(tmp_path / "out")
    apart = where._replace(answers=str(tmp_path / "answers"))
    begin(apart, 100)
    with pytest.raises(FleetError, match="out was begun with --answers: give the first command"):
        begin(where, 100)
    other = places(tmp_path / "other")
    begin(other, 100)
    with pytest.raises(FleetError, match="other was begun without --answers: give the first"):
        begin(other._replace(answers=str(tmp_path / "more")), 100)
    assert not (tmp_path / "more").exists()


def test_a_fleet_whose_answers_were_not_begun_goes_on(tmp_path: Path) -> None:
    where = places(tmp_path / "out")._replace(answers=str(tmp_path / "answers"))
    begin(where, 100)
    (tmp_path / "answers" / BEGUN).unlink()
    begin(where, 100)
    assert (tmp_path / "answers" / BEGUN).exists()
