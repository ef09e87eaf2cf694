"""The locked versions of imported packages."""

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions

from pipeline.core.errors import EnvironmentFault

# Packages that another one computes with, though this code does not import them; and packages that only display.
_BEHIND = {"great_expectations": ("pandas", "numpy"), "transformers": ("tokenizers", "safetensors")}
_DISPLAY = frozenset({"tqdm"})


def locked_versions(lock: str) -> dict[str, str]:
    """Return `{distribution: version}` of the `name==version` lines of a lock file."""
    pairs = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#\\]+)", lock, flags=re.MULTILINE)
    return {normalise_distribution(name): version for name, version in pairs}


def distributions(packages: Iterable[str], versions: Mapping[str, str]) -> list[str]:
    """Return the distributions that hold the packages, sorted.

    Raises:
        EnvironmentFault: A package has no version, so an update of it would go unnoticed.
    """
    locked = set()
    for package in deciding_packages(packages):
        holders = {normalise_distribution(name) for name in _installed().get(package, ())} & versions.keys()
        if not holders:
            raise EnvironmentFault(
                f"requirements.lock: {package} is imported, but not both locked and installed. "
                "Add it to pyproject.toml, then run `make lock` and `make setup`."
            )
        locked |= holders
    return sorted(locked)


def deciding_packages(packages: Iterable[str]) -> list[str]:
    """Return those of the packages that can decide a result, and those behind them that can, sorted."""
    deciding = {name for package in packages for name in (package, *_BEHIND.get(package, ()))}
    return sorted(deciding - _DISPLAY - sys.stdlib_module_names)


@cache
def _installed() -> Mapping[str, list[str]]:
    """Return the distributions of each importable package; reading the metadata of all takes a second."""
    return packages_distributions()


def normalise_distribution(distribution: str) -> str:
    """Return a distribution's name in the form that the package index compares.

    Source: https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", distribution).lower()
