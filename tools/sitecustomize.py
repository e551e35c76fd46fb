"""What Python runs first in the page's library: imports come from one member of it.

For each module zipimport opens the archive anew, through a file system that is made of
JavaScript. A start takes 200 modules, so that was a tenth of its time: 531 ms against 478 under
Node. Here all code is read at once. tools/make_library.py packs it, and this beside it.
"""

import marshal
import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery would have to be imported first
from zipimport import zipimporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

HOME = "/lib/python314.zip"  # where Pyodide puts the library
CODE = "modules.marshal"  # a module's name -> whether it is a package, and its marshalled code

_ARCHIVE = zipimporter(HOME)
_MODULES: dict[str, tuple[bool, bytes]] = marshal.loads(_ARCHIVE.get_data(CODE))


def add(packed: bytes) -> None:
    """Take more modules in, which are packed as CODE is."""
    _MODULES.update(marshal.loads(packed))


class Library:
    """A finder and loader of modules, as the language reference describes them."""

    get_data = _ARCHIVE.get_data  # what is not code stays in the archive

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Where the module is; None if it is not here."""
        if name not in _MODULES:
            return None
        is_package, _ = _MODULES[name]
        place = f"{HOME}/{name.replace('.', '/')}"
        origin = f"{place}/__init__.pyc" if is_package else f"{place}.pyc"
        spec = ModuleSpec(name, Library, origin=origin, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True  # gives the module its __file__
        if is_package:
            spec.submodule_search_locations = [place]
        return spec

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """As any other module."""

    @staticmethod
    def exec_module(module: "ModuleType") -> None:
        """Run the module's code."""
        _, code = _MODULES[module.__name__]
        exec(marshal.loads(code), module.__dict__)


sys.meta_path.insert(0, Library)
