"""A model's modules as torch prints them (nn.Module.__repr__): a line each, two blanks a level."""

from collections.abc import Iterator

from llmsim.typed import NamedTuple


class Module(NamedTuple):
    """A class's name, what it says of itself, and its children by name, in order."""

    name: str
    extra: str = ""
    children: tuple[tuple[str, "Module"], ...] = ()


def linear(inputs: int, outputs: int) -> Module:
    """A matrix without a bias."""
    return Module("Linear", f"in_features={inputs}, out_features={outputs}, bias=False")


def repeated(times: int, module: Module) -> Module:
    """A ModuleList of equal modules, which it prints once."""
    name = f"{times} x {module.name}" if times > 1 else module.name
    key = f"0-{times - 1}" if times > 1 else "0"
    return Module("ModuleList", children=((key, module._replace(name=name)),))


def printed(module: Module, key: str = "", level: int = 0) -> Iterator[str]:
    """The lines of a module; `key` is its name in the module around it."""
    blanks, label = "  " * level, f"({key}): " if key else ""
    if not module.children:
        yield f"{blanks}{label}{module.name}({module.extra})"
        return
    yield f"{blanks}{label}{module.name}("
    for name, child in module.children:
        yield from printed(child, name, level + 1)
    yield f"{blanks})"
