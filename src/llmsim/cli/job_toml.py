"""A job file's text: what --print-config --toml shows."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime


def text_of(tables: Mapping[str, Mapping[str, object]]) -> str:
    """The sections as TOML; a table within a section comes last, under a heading of its own."""
    return "\n".join("\n".join(_section(name, table)) + "\n" for name, table in tables.items())


def _section(name: str, table: Mapping[str, object]) -> Iterator[str]:
    yield f"[{name}]"
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    for key, value in table.items():
        if key not in inner:
            yield f"{key} = {_value(value)}"
    for key, value in inner.items():
        yield ""
        yield from _section(f"{name}.{key}", value)


def _value(value: object) -> str:
    """A value as TOML has it. Texts are printable, which JSON and TOML write in one way."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)  # a float's shortest text that is read as the same float
