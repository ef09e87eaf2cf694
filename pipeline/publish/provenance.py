"""The provenance of a model: the commit, and the records of all stages that it comes from."""

import hashlib
from collections.abc import Iterator, Mapping

from pipeline.core.document import Document

_PARAMS_FILE = "data/params.json"


def describe_provenance(
    task: str, commit: str, stages: Mapping[str, Document], targets: list[str], packages: Mapping[str, str]
) -> Document:
    """Return the document: the commit, the locked packages, the pinned sources, and each stage as dvc.lock records it.

    A record has the command, the parameters, and the checksums of code, inputs and outputs; it has no text of the data.
    """
    origins = list_origins(stages, targets)
    return {
        "format": 1,
        "task": task,
        "commit": commit,
        "sources": {name.partition("@")[2]: pin for name in origins for pin in _list_pins(name, stages[name])},
        "stages": {name: stages[name] for name in origins},
        "packages": dict(packages),
    }


def list_origins(stages: Mapping[str, Document], targets: list[str]) -> list[str]:
    """Return the stages that the targets come from, themselves included, in the order of dvc.lock."""
    makers = {out["path"]: name for name, entry in stages.items() for out in entry.get("outs", ())}
    origins: set[str] = set()
    waiting = [target for target in targets if target in stages]
    while waiting:
        name = waiting.pop()
        if name not in origins:
            origins.add(name)
            paths = (*(dep["path"] for dep in stages[name].get("deps", ())), *stages[name].get("params", ()))
            waiting += [maker for path in paths for out, maker in makers.items() if _overlap(path, out)]
    return [name for name in stages if name in origins]


def is_recorded(stages: Mapping[str, Document], path: str, content: str) -> bool:
    """Return whether a file that Git keeps is as the stage left it that makes it."""
    checksum = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    outs = [out for entry in stages.values() for out in entry.get("outs", ())]
    return any(out["path"] == path and out.get("md5") == checksum for out in outs)


def _list_pins(name: str, entry: Document) -> Iterator[Document]:
    """Yield the parameters of a stage that fetches a source: its package or repository, its version and checksum."""
    if name.startswith("fetch@"):
        own = entry.get("params", {}).get(_PARAMS_FILE, {})
        yield from (value for key, value in own.items() if key == f"fetch.{name.partition('@')[2]}")


def _overlap(path: str, other: str) -> bool:
    """Return whether one of two paths is the other, or inside it."""
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")
