"""params.yaml as a test writes it, and the project with its profiles laid over it."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.core.document import Document
from pipeline.core.stage import load_facets
from pipeline.settings import resolve
from pipeline.settings.overlay import overlay_params, overlay_stages
from pipeline.settings.parse import parse_params

ROOT = Path(__file__).parents[2]


def dump(values: dict[str, Any]) -> str:
    """Return `values` as YAML 1.2 text."""
    stream = io.StringIO()
    YAML().dump(values, stream)
    return stream.getvalue()


def read(name: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def resolve_params(text: str, profiles: dict[str, Any], corrections: Any = None) -> Document:
    """Return the resolved params of a params.yaml, with all kinds of tasks."""
    return resolve.resolve_params(text, load_facets("settings"), profiles, corrections)


def read_section(stage: str, kind: str = "text-classification") -> Document:
    """Return the keys of a section of params.yaml with those of a kind in their place."""
    values, _ = parse_params(read("params.yaml"))
    return {**values.get(stage, {}), **values["kinds"][kind].get(stage, {})}


def with_profiles(name: str, *profiles: str) -> str:
    """Return the params.yaml or dvc.yaml of the project with profiles laid over it."""
    overlay = overlay_params if name == "params.yaml" else overlay_stages
    text = read(name)
    for profile in profiles:
        text = overlay(text, read(f"profiles/{profile}/{name}"))
    return text


def study_params() -> str:
    """Return the project's params.yaml with the sections of pretraining and of the study."""
    return with_profiles("params.yaml", "pretraining", "study")


def study_stages() -> str:
    """Return the project's dvc.yaml with the stages of pretraining and of the study."""
    return with_profiles("dvc.yaml", "pretraining", "study")
