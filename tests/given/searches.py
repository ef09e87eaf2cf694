"""A clone of the project on the sample with a small search of one task laid over it, and nothing run yet."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from pipeline.settings.parse import parse_params
from tests.given.clones import PARTS, ROOT, Clone, pack, settings
from tests.given.settings import dump, with_profiles

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1.0e-4, "high": 1.0e-2, "log": True},
    "batch_size": {"choices": [8, 16]},
    "layer_decay": {"low": 0.7, "high": 1.0},
}


def rounds(count: int) -> list[dict[str, Any]]:
    return [{"round": index, "after": index - 1 if index else "start"} for index in range(count)]


def search_text(shas: dict[str, str], **changes: Any) -> str:
    """Return a params.yaml with the sample and a search of `reviews`: two rounds of two, unless changed."""
    values, _ = parse_params(settings(shas, with_profiles("params.yaml", "search")))
    values["search"] |= {
        "tasks": {"reviews": {"encoder": "raw/tiny", "space": {}}},
        "space": SPACE,
        "rounds": rounds(2),
        "slots": [1, 2],
        "seeds": [1, 2],
    }
    values["finetune"]["epochs"] = 1
    values["search"] |= changes
    return dump(values)


def build_search(root: Path, shared: Path, **changes: Any) -> Clone:
    wheels, shas = pack(shared)
    for part in PARTS:
        source, target = ROOT / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    (root / "params.yaml").write_text(search_text(shas, **changes), encoding="utf-8")
    (root / "dvc.yaml").write_text(with_profiles("dvc.yaml", "search"), encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    Repo.init(str(root)).close()
    return Clone(root, wheels)
