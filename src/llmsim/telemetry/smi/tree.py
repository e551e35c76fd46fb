"""The tree of a report: sections and leaves, each with its label and its XML tag.

An empty label stands in XML alone, an empty tag in the text alone.
"""

from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import properties
from llmsim.telemetry.smi.node import Node
from llmsim.telemetry.smi.properties import property_named
from llmsim.typed import Any, NamedTuple

DEPRECATED = properties.DEPRECATED.strip("[]")
NONE = "N/A"


class Leaf(NamedTuple):
    """A value."""

    label: str
    tag: str
    value: Any = NONE
    xml: str | None = None  # the value in XML, where it is written in another way


class Section(NamedTuple):
    """A group of values."""

    label: str
    tag: str
    branches: "tuple[Leaf | Section, ...]" = ()
    value: str = ""  # a section that says in one word that there is nothing


Branch = Leaf | Section


def asked(node: Node, gauges: Gauges, name: str) -> str:
    """A property's value with its unit, as reports write it."""
    found = property_named(name)
    value = str(found.value(node, gauges))
    if value.startswith("["):
        return value.strip("[]")
    return f"{value} {found.unit}" if found.unit else value


def pair(label: str, tag: str, now: str, later: str, value: object = NONE) -> Section:
    """A mode that is set now, and the one that comes with the next reset."""
    return Section(label, tag, (Leaf("Current", now, value), Leaf("Pending", later, value)))
