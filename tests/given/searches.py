"""A clone of the project on the sample with a small search of one task laid over it, and nothing run yet."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from dvc.repo import Repo

from pipeline.core.files import read_json
from pipeline.core.stage import load, read_declaration, stage_params
from pipeline.core.tables import description, write_arrow
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.kinds.text_classification.settings import SETTINGS
from pipeline.settings.parse import parse_params
from pipeline.settings.search.sections import CANDIDATES
from pipeline.stages import confirm, finalists, halve, propose, rung, search, trial, withhold
from tests.given.clones import PARTS, ROOT, Clone, pack, settings
from tests.given.reporting import TEMPLATE_FOLDER
from tests.given.settings import dump, resolve_params, with_profiles
from tests.given.training import rows

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1.0e-4, "high": 1.0e-2, "log": True},
    "batch_size": {"choices": [8, 16]},
    "layer_decay": {"low": 0.7, "high": 1.0},
}


SMALL: dict[str, Any] = {
    "epochs": 1, "batch_size": 16, "learning_rate": 3e-3, "evaluations": 1, "metric": "accuracy",
    "freeze_embeddings": False, "threads": 1, "precision": "fp32", "attention": "eager",
}  # fmt: skip


HALVING: dict[str, Any] = {
    "share": 0.5, "rungs": [{"rung": 0, "after": "trials", "at": 0.25}, {"rung": 1, "after": 0, "at": 0.5}],
}  # fmt: skip


def part_before(rung: int) -> str:
    """Return the name of the part of a trial that comes before a rung."""
    return str(rung - 1) if rung else "trials"


def list_rounds(count: int) -> list[dict[str, Any]]:
    return [{"round": index, "after": index - 1 if index else "start"} for index in range(count)]


def search_text(shas: dict[str, str], **changes: Any) -> str:
    """Return a params.yaml with the sample and a search of `reviews`: two rounds of two, unless changed."""
    values, _ = parse_params(settings(shas, with_profiles("params.yaml", "search")))
    values["search"] |= {
        "tasks": {"reviews": {"encoder": "raw/tiny", "space": {}}},
        "space": SPACE,
        "rounds": list_rounds(2),
        "slots": [1, 2],
        "seeds": [1, 2],
    }
    values["finetune"] |= {"epochs": 1, "evaluations": 2}
    values["search"] |= changes
    return dump(values)


def build_search(root: Path, shared: Path, python: Path = Path(sys.executable).parent, **changes: Any) -> Clone:
    """Return a clone in which nothing has run; `python` is the folder of the one that runs its stages."""
    wheels, shas = pack(shared)
    for part in PARTS:
        source, target = ROOT / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    (root / "params.yaml").write_text(search_text(shas, **changes), encoding="utf-8")
    profiles = ("search", "halving") if changes.get("halving") else ("search",)
    (root / "dvc.yaml").write_text(with_profiles("dvc.yaml", *profiles), encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    Repo.init(str(root)).close()
    return Clone(root, wheels, python)


def resolve_small(finetune: Mapping[str, Any] = MappingProxyType({}), **changes: Any) -> dict[str, Any]:
    """Return the sections of a small search of `reviews`, for stages that run in this process."""
    values, _ = parse_params(with_profiles("params.yaml", "search"))
    values["finetune"] |= {**SMALL, **finetune}
    own = {key: values["tasks"]["reviews"][key] for key in ("kind", "encoder", "ingest")}
    values["tasks"] = {"reviews": own}
    values["search"] |= {"space": SPACE, "rounds": list_rounds(2), "slots": [1, 2], "seeds": [1, 2], **changes}
    return resolve_params(dump(values), {})


def section(resolved: dict[str, Any], stage: str, name: str) -> Any:
    """Return the params of a stage, as its command line reads them."""
    return stage_params(resolved, stage, name, read_declaration(load(stage)).params)[0]


def write_tokens(path: Path, *, flipped: bool = False) -> Path:
    """Write tokens whose class is whether they hold token 7, in three splits; of `test` the opposite if `flipped`."""
    parts = [(rows(96), "train"), (rows(40, seed=1), "validation"), (rows(40, seed=2), "test")]
    table = pa.concat_tables(
        pa.table(
            {
                "id": [f"{split}{row}" for row in range(len(part.ids))],
                "split": [split] * len(part.ids),
                "labels": pa.array(1 - part.labels if flipped and split == "test" else part.labels),
                "input_ids": pa.ListArray.from_arrays(pa.array(part.tokens.offsets, pa.int32()), part.tokens.values),
                "truncated": [False] * len(part.ids),
            }
        )
        for part, split in parts
    )
    table = table.replace_schema_metadata({**description("reviews", ("no", "yes")), "max_length": "12"})
    write_arrow(path, table.schema, table.to_batches())
    return path


class Search:
    """A search whose stages run in this process, one after another, on files below a folder."""

    def __init__(self, root: Path, resolved: dict[str, Any], tokens: Path, encoder: Path) -> None:
        self.root, self.resolved, self.tokens, self.encoder = root, resolved, tokens, encoder
        self.start = root / "start"
        self.slots = resolved["search"]["reviews"]["slots"]
        self.rounds: int = resolved["search"]["reviews"]["rounds"]
        self.rungs: int = resolved["search"]["reviews"]["rungs"]
        self.last = root / str(self.rounds - 1)

    def withhold(self) -> None:
        params = section(self.resolved, "withhold", "reviews")
        withhold.run(params, tokens=self.tokens, encoder=self.encoder, start=self.start)

    def propose(self, index: int) -> None:
        params = section(self.resolved, "propose", f"reviews-round{index}")
        earlier = self.root / str(index - 1) if index else self.start
        propose.run(params, earlier=earlier, proposals=self.root / str(index) / "proposals")

    def trial(self, index: int, slot: int) -> None:
        folder = self.root / str(index)
        params = section(self.resolved, "trial", f"reviews-round{index}-{slot}")
        trial.run(
            params, LEARNING, SETTINGS,
            proposal=folder / "proposals" / f"{slot}.json", start=self.start, result=folder / f"trials/{slot}.json",
            checkpoint=self.checkpoint(index, "trials", slot) if self.rungs else None,
        )  # fmt: skip

    def checkpoint(self, index: int, part: str, slot: int) -> Path:
        return self.root / "checkpoints" / str(index) / part / str(slot)

    def halve(self, index: int, rung: int) -> None:
        params = section(self.resolved, "halve", f"reviews-round{index}-rung{rung}")
        folder = self.root / str(index)
        halve.run(params, trials=folder / part_before(rung), kept=folder / "kept" / str(rung))

    def climb(self, index: int, at: int, slot: int) -> None:
        params = section(self.resolved, "rung", f"reviews-round{index}-rung{at}-{slot}")
        folder = self.root / str(index)
        rung.run(
            params, LEARNING, SETTINGS,
            earlier=folder / "kept" / str(at) / f"{slot}.json", start=self.start,
            before=self.checkpoint(index, part_before(at), slot),
            result=folder / str(at) / f"{slot}.json", checkpoint=self.checkpoint(index, str(at), slot),
        )  # fmt: skip

    def confirm(self, candidate: str, seed: int) -> None:
        params = section(self.resolved, "confirm", f"reviews-{candidate}-{seed}")
        out = self.root / "confirm" / f"{candidate}-{seed}"
        confirm.run(
            params, LEARNING, SETTINGS,
            finalist=self.root / "finalists" / f"{candidate}.json", tokens=self.tokens, start=self.start,
            result=out.with_suffix(".json"), predictions=out.with_suffix(".parquet"),
        )  # fmt: skip

    def choose_finalists(self) -> None:
        params = section(self.resolved, "finalists", "reviews")
        finalists.run(params, trials=self.last, finalists=self.root / "finalists")

    def choose(self) -> None:
        self.choose_finalists()
        for candidate, seed in product(CANDIDATES, self.resolved["search"]["reviews"]["seeds"]):
            self.confirm(candidate, seed)

    def conclude(self) -> dict[str, Any]:
        results = self.root / "results.json"
        search.run(
            section(self.resolved, "search", "reviews"), trials=self.last, confirmed=self.root / "confirm",
            templates=TEMPLATE_FOLDER, results=results, page=self.root / "page.html",
        )  # fmt: skip
        return dict(read_json(results))

    def try_all(self) -> None:
        self.withhold()
        for index in range(self.rounds):
            self.propose(index)
            for slot in self.slots:
                self.trial(index, slot)
            for at in range(self.rungs):
                self.halve(index, at)
                for slot in self.slots:
                    self.climb(index, at, slot)

    def bytes(self, *, below: str = "") -> dict[str, bytes]:
        folder = self.root / below
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
