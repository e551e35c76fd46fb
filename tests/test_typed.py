"""Records as typing.NamedTuple makes them, which is the oracle."""

import copy
import pickle
import typing

import pytest

from llmsim import typed


class Ours(typed.NamedTuple):
    """A record."""

    at: float
    name: str = "x"
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A name and its moment."""
        return f"{self.name} at {self.at}"


class Theirs(typing.NamedTuple):
    """A record."""

    at: float
    name: str = "x"
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A name and its moment."""
        return f"{self.name} at {self.at}"


def test_a_record_is_what_typing_makes_of_it() -> None:
    ours, theirs = Ours(1.0, tags=("a",)), Theirs(1.0, tags=("a",))
    assert tuple(ours) == tuple(theirs) == (1.0, "x", ("a",))
    assert ours.label == theirs.label
    assert repr(ours).removeprefix("Ours") == repr(theirs).removeprefix("Theirs")
    assert Ours._fields == Theirs._fields
    assert Ours._field_defaults == Theirs._field_defaults
    assert Ours.__annotations__ == Theirs.__annotations__
    assert (Ours.__doc__, Ours.__module__) == (Theirs.__doc__, Theirs.__module__)
    assert ours._replace(at=2.0)._asdict() == theirs._replace(at=2.0)._asdict()


def test_a_record_is_copied_pickled_and_matched_as_typings_is() -> None:
    for record in (Ours, Theirs):
        made = record(1.0, "y")
        assert pickle.loads(pickle.dumps(made)) == copy.copy(made) == made
        assert type(pickle.loads(pickle.dumps(made))) is record
        assert record._make([1.0, "y", ()]) == record(name="y", at=1.0)
        match made:
            case record(at, name):
                assert (at, name) == (1.0, "y")


def test_a_record_refuses_what_typings_refuses() -> None:
    with pytest.raises((TypeError, ValueError)) as theirs:
        Theirs(1.0)._replace(none=1)  # type: ignore[call-arg]
    with pytest.raises(theirs.type, match=r"names: \['none'\]"):
        Ours(1.0)._replace(none=1)  # type: ignore[call-arg]
    for record in (Ours, Theirs):
        with pytest.raises(TypeError, match="Expected 3 arguments, got 1"):
            record._make([1.0])
        with pytest.raises(TypeError, match="at"):
            record()  # type: ignore[call-arg]  # what a checker refuses too
        with pytest.raises(AttributeError):
            record(1.0).at = 2.0  # type: ignore[misc]
