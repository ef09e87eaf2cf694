"""docs/gallery.md is what docs/gallery.json renders, and `make gallery` makes both of the documents of a run."""

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from benchmarks.gallery import PROFILE, collect, compare_task, render_page, write_documents
from benchmarks.study import lay_profiles
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import KINDS, load_facet
from pipeline.settings.parse import parse_params
from tests.given.reporting import make_task, three_tasks
from tests.given.settings import read, with_profiles

DOCS, KIND = Path("docs"), "text-classification"
PAGE = load_facet(KIND, "page")


def compared(task=None) -> dict[str, Any]:
    task = task or make_task()
    return compare_task(KIND, task.page, task.intake, task.evaluation)


def test_the_committed_page_is_what_the_numbers_render():
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == render_page(read_json(DOCS / "gallery.json"))


def test_the_gallery_has_a_task_of_each_kind():
    values, _ = parse_params(with_profiles("params.yaml", "gallery"))
    assert {task["kind"] for task in values["tasks"].values()} == set(KINDS)


def test_the_profile_is_laid_over_a_clone(tmp_path):
    for name in ("params.yaml", "dvc.yaml", "data/profiles.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(read(name), encoding="utf-8")
    lay_profiles(tmp_path, PROFILE)
    values, _ = parse_params((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    assert "parts-of-speech" in values["tasks"]


def test_a_run_is_collected_by_kind(tmp_path):
    tasks = three_tasks()
    for task in tasks:
        write_json(tmp_path / f"intake/{task.name}.json", task.intake)
        write_json(tmp_path / f"evaluation/{task.name}.json", task.evaluation)
    write_json(tmp_path / "params.json", {"kinds": {task.name: KIND for task in reversed(tasks)}})
    assert collect(tmp_path) == [compared(task) for task in reversed(tasks)]


def test_a_row_by_hand(tmp_path):
    write_documents(tmp_path, {"made": "2026-11-30, a machine.", "tasks": [compared(task) for task in three_tasks()]})
    rows = [line for line in (tmp_path / "gallery.md").read_text("utf-8").splitlines() if line.startswith("| text")]
    assert rows[0] == (
        "| text-classification | reviews | source&#47;reviews.tsv | 1,086 | accuracy | 0.868 [0.848, 0.888] | probe "
        "| 0.829 [0.809, 0.849] | +3.9 [+1.3, +6.5] | &lt; 0.001 | fine-tuning is better |"
    )
    assert [row.split(" | ")[-1] for row in rows] == [
        "fine-tuning is better |",
        "no difference is proven |",
        "**the rival is better** |",
    ]
    assert [row.split(" | ")[6] for row in rows] == ["probe", "probe", "TF-IDF"]


def test_of_a_metric_whose_less_is_better_the_rival_with_less_is_the_strongest():
    task = make_task()
    losses = PAGE._replace(metrics=(PAGE.headline._replace(better=-1),))
    row = compare_task(KIND, losses, task.intake, task.evaluation)
    assert row["rival"]["title"] == "TF-IDF"
    assert row["difference"]["outcome"] == "real loss"


@pytest.mark.parametrize("probe", [None, PAGE.baselines.probe])
def test_a_rival_without_a_value_is_none(probe):
    task = make_task()
    task.evaluation["baselines"]["probe"]["accuracy"] = {"value": None, "low": None, "high": None, "reason": "none"}
    page = PAGE._replace(baselines=PAGE.baselines._replace(probe=probe))
    assert compare_task(KIND, page, task.intake, task.evaluation)["rival"]["title"] == "TF-IDF"


def test_hostile_names_change_nothing_but_words():
    row = compared() | {"task": "<script>|`x`", "data": "[l](javascript:1) ![i](http://e.org)\n# h"}
    page = MarkdownIt("commonmark").enable("table").render(render_page({"made": "now", "tasks": [row]}))
    assert page.count("<h1>") == 1
    assert page.count("<td") == 11
    assert "<script" not in page
    assert "<img" not in page
    assert "javascript" not in "".join(part.split('"')[0] for part in page.split('href="')[1:])
