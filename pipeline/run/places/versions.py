"""The versions that two machines must share for a stage to give the same result on both."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from pipeline.core.errors import EnvironmentFault

SHARED_PACKAGES = ("torch", "dvc", "dask", "distributed")


def list_versions() -> dict[str, str]:
    """Return this machine's versions by name; of torch without its build, which is that of a processor or a GPU."""
    return {"python": platform.python_version(), **{name: _find_version(name) for name in SHARED_PACKAGES}}


def require_versions(expected: Mapping[str, str], actual: Mapping[str, str], machine: str) -> None:
    """Require that `machine` has the expected versions.

    Raises:
        EnvironmentFault: It has others.
    """
    if other := [name for name in expected if actual.get(name) != expected[name]]:
        pairs = ", ".join(f"{name} {actual.get(name, 'missing')} instead of {expected[name]}" for name in other)
        raise EnvironmentFault(
            f"{machine}: not the versions of the machine that drives the run, {pairs}. Install the same "
            "requirements.lock there, and start its workers again."
        )


def _find_version(package: str) -> str:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return "missing"
