"""The code of a running stage, as one hash, and the content of a folder as another."""

import hashlib
import platform
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

from pipeline.core.files import sha256
from pipeline.core.fingerprint import closure
from pipeline.core.modules import Definition, Module, parse_module
from pipeline.core.stage import KINDS, locate_facet
from pipeline.core.versions import deciding_packages


class _Sources(dict[str, Module]):
    """The modules of the package, parsed when asked for."""

    def __init__(self, root: Path) -> None:
        """Start with none; `root` holds the package."""
        self._root, self.paths = root, list[Path]()

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a module."""
        try:
            self[str(name)]
        except KeyError:
            return False
        return True

    def __missing__(self, name: str) -> Module:
        """Parse it."""
        path = self._root.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name.partition(".")[0] != __name__.partition(".")[0] or not path.is_file():
            raise KeyError(name)
        self.paths.append(path)
        self[name] = parse_module(name, path.read_text(encoding="utf-8"))
        return self[name]


def fingerprint_running(stage: str, facet: str, value: object) -> str | None:
    """Return the SHA-256, 64 hexadecimal digits, of the code of a stage and of a facet that it was given.

    It follows the code as `fingerprint` does, and takes the versions of the packages that are loaded. None if no kind
    has this facet, or if the code may have changed since this process read it.
    """
    starts = [place for kind in KINDS if _load(place := locate_facet(kind, facet)) is value]
    if not starts:
        return None
    sources = _Sources(Path(__file__).parents[3])
    reached = closure(sources, [Definition(f"pipeline.stages.{stage}", "run"), starts[0]])
    began = psutil.Process().create_time()
    if any(path.stat().st_ctime > began for path in sources.paths):
        return None
    loaded = {name: sys.modules.get(name) for name in deciding_packages(reached.packages)}
    versions = {name: getattr(module, "__version__", None) for name, module in loaded.items()}
    return hashlib.sha256(repr((platform.python_version(), versions, reached.texts)).encode()).hexdigest()


def _load(place: Definition) -> object:
    """Return the facet if its module is loaded; None otherwise, and no value is None."""
    return getattr(sys.modules.get(place.module), place.name, None)


def hash_folder(folder: Path, *, but: Collection[str] = ()) -> str:
    """Return the SHA-256 of the names and contents of the files below a folder, `but` those with some suffixes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in but)
    return hashlib.sha256(repr([(str(path.relative_to(folder)), sha256(path)) for path in paths]).encode()).hexdigest()
