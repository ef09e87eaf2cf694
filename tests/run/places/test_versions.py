import platform

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.run.places.versions import SHARED_PACKAGES, list_versions, require_versions


def test_the_versions_are_those_installed_whatever_the_build():
    versions = list_versions()
    assert list(versions) == ["python", *SHARED_PACKAGES]
    assert versions["python"] == platform.python_version()
    assert not [version for version in versions.values() if "+" in version or version == "missing"]


def test_another_version_is_refused_with_its_machine_and_name():
    here = list_versions()
    require_versions(here, here, "there")
    with pytest.raises(EnvironmentFault, match=r"tcp://there: .* torch 1\.0 instead of .*, dask missing instead of"):
        require_versions(
            here,
            {"torch": "1.0", **dict.fromkeys(("python", "dvc", "distributed")), "dask": "missing"}
            | {name: here[name] for name in ("python", "dvc", "distributed")},
            "tcp://there",
        )
