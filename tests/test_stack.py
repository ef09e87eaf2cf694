"""The locked versions, which work together although a fresh resolve is known to break."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pipeline.core.versions import locked_versions, normalise_distribution

LOCK = Path("requirements.lock").read_text(encoding="utf-8")


def test_the_lock_pins_every_line_and_names_no_machine():
    lines = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;+]+( ; .+)?", line) for line in lines), lines
    assert not re.search(r"https?://|file:/|^\s*--", LOCK, flags=re.MULTILINE)


PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [*map(Requirement, (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]))]


@pytest.mark.parametrize("need", DIRECT, ids=str)
def test_a_locked_version_is_in_the_range_that_is_declared(need):
    assert locked_versions(LOCK)[normalise_distribution(need.name)] in need.specifier
    assert ">=" in {part.operator for part in need.specifier}


def test_an_upper_bound_has_a_reason():
    text = Path("pyproject.toml").read_text(encoding="utf-8")
    bounds = re.findall(r'^  "[^"]*<[^"]*",(.*)$', text, flags=re.MULTILINE)
    assert len(bounds) >= 2
    assert all(re.search(r"# \S+", reason) for reason in bounds)


def test_what_must_be_pinned_is():
    locked = locked_versions(LOCK)
    assert locked["torch"] == "2.13.0"
    assert locked["prefect"] == "3.8.8"
    assert (0, 139) <= tuple(map(int, locked["fastapi"].split(".")[:2])) < (0, 151)


@pytest.mark.parametrize("package", ["torch", "transformers", "dvc", "prefect", "great-expectations", "scikit-learn"])
def test_what_is_installed_is_what_is_locked(package):
    assert version(package).partition("+")[0] == locked_versions(LOCK)[package]
