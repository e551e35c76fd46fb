"""The tree of a PromQL expression: parsed(text) by promql-parser, the maintained parser."""

import re

from llmsim.errors import GradeError
from llmsim.typed import Any

Node = Any  # one of promql_parser's classes


def parsed(text: str) -> Node:
    """The tree of an expression. Raises GradeError, the reason, where it is none."""
    import promql_parser

    if len(_NESTING.findall(text)) > _MOST_OPERATORS:  # the parser's stack would overflow
        raise GradeError(f"it has more than {_MOST_OPERATORS:,} operators and brackets")
    try:
        node = promql_parser.parse(text)
    except UnicodeEncodeError:  # half of a pair of UTF-16, which JSON can write
        raise GradeError("it has a character that is none") from None
    except ValueError as error:
        raise GradeError(" ".join(str(error).split())) from None
    level = [node]
    for _ in range(_DEEPEST):
        level = [below for each in level for below in children(each)]
        if not level:
            return node
    raise GradeError(f"it is nested more than {_DEEPEST} deep")


_NESTING = re.compile(r"[-+*/%^(<>]|[=!]=|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_MOST_OPERATORS, _DEEPEST = 2000, 150


def kind(node: Node) -> str:
    """The class of a node, by its name."""
    return type(node).__name__


def children(node: Node) -> list[Node]:
    """The nodes below a node."""
    name = kind(node)
    if name == "BinaryExpr":
        return [node.lhs, node.rhs]
    if name == "Call":
        return [*node.args]
    if name == "AggregateExpr":
        return [node.expr, *([node.param] if node.param is not None else [])]
    if name in ("ParenExpr", "UnaryExpr", "SubqueryExpr"):
        return [node.expr]
    return []
