"""Events of a segment that are made when somebody first looks at them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from llmsim.typed import Any


class Later(Sequence[Any]):
    """Events that are made when somebody first looks at them: a timeline needs few of them."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        """`make` gives the events, in order of time."""
        self._make = make
        self._made: tuple[Any, ...] | None = None

    def _all(self) -> tuple[Any, ...]:
        if self._made is None:
            self._made = tuple(self._make())
            self._make = tuple  # what it was made of is not needed any more
        return self._made

    def __iter__(self) -> Iterator[Any]:
        """All of them, in order."""
        return iter(self._all())

    def __len__(self) -> int:
        """How many they are."""
        return len(self._all())

    def __getitem__(self, index: Any) -> Any:
        """The event of a number, counted from 0."""
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        """Whether the events are the same."""
        return isinstance(other, Sequence) and self._all() == tuple(other)

    def __hash__(self) -> int:
        """The hash of the events."""
        return tuple.__hash__(self._all())
