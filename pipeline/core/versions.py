"""Which distributions of the lock an import stands for, and in which version."""

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions

from pipeline.core.errors import EnvironmentFault

# Packages that another one works through without our naming them, and packages that only show something.
BEHIND = {"great_expectations": ("pandas", "numpy"), "transformers": ("tokenizers", "safetensors")}
SHOWING = frozenset({"tqdm"})


def locked_versions(lock: str) -> dict[str, str]:
    """Return `{distribution: version}` of the `name==version` lines of a lock file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#\\]+)", lock, flags=re.MULTILINE)
    return {normalised(name): version for name, version in found}


def distributions(packages: Iterable[str], versions: Mapping[str, str]) -> list[str]:
    """Return the distributions, sorted, that hold the packages: each must have a version, or an update goes unseen."""
    deciding = {name for package in packages for name in (package, *BEHIND.get(package, ()))}
    found = set()
    for package in sorted(deciding - SHOWING - sys.stdlib_module_names):
        holders = {normalised(name) for name in _installed().get(package, ())} & versions.keys()
        if not holders:
            raise EnvironmentFault(
                f"the code imports {package}, which is not both installed and in the lock. Add it to pyproject.toml, "
                "then run `make lock` and `make setup`."
            )
        found |= holders
    return sorted(found)


@cache
def _installed() -> Mapping[str, list[str]]:
    """Return the distributions of each importable package; reading the metadata of all takes a second."""
    return packages_distributions()


def normalised(distribution: str) -> str:
    """Return a distribution's name as the package index compares it.

    Source: https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", distribution).lower()
