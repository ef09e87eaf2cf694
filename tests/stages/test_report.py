import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import write_json
from pipeline.core.stage import load_facets
from pipeline.settings.task import CardParams, ReportParams
from pipeline.stages.report import run
from tests.given.reporting import TEMPLATE_FOLDER, pretraining, three_tasks
from tests.given.studies import make_study

FOLDERS = ("intake", "findings", "inspection", "history", "evaluation", "projection")
ALL = (*FOLDERS, "pretraining")
OUTPUTS, FILES = ("page", "summary", "cards"), ("report.html", "report.md", "cards")


PAGES = load_facets("page")


def make_params(*tasks: str, worst: int = 10, encoders: tuple[str, ...] = ("scratch",)) -> ReportParams:
    unknown = dict.fromkeys(("license", "language", "base_model", "dataset"))
    cards = {task: CardParams(task=task, **unknown) for task in tasks}
    kinds = dict.fromkeys(tasks, "text-classification")
    return ReportParams(title="Transferline", worst=worst, tasks=tasks, kinds=kinds, encoders=encoders, cards=cards)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Write the documents of three tasks, and files that are nobody's."""
    for task in three_tasks():
        for folder in FOLDERS:
            write_json(tmp_path / folder / f"{task.name}.json", getattr(task, folder))
    for encoder, pairs in (("scratch", True), ("adapted", False)):
        write_json(tmp_path / "pretraining" / f"{encoder}.json", pretraining(encoder, pairs=pairs))
    for folder in ALL:
        (tmp_path / folder / "old.json").write_text("no JSON")
        (tmp_path / folder / ".gitignore").write_text("/x")
    write_json(tmp_path / "transfer.json", make_study(labels=(32, 128), seeds=(0, 1)))
    files = {"transfer": tmp_path / "transfer.json", "templates": TEMPLATE_FOLDER}
    return {folder: tmp_path / folder for folder in ALL} | files


def test_both_files_hold_the_tasks_in_their_order(folders: dict[str, Path], tmp_path: Path) -> None:
    page, summary = tmp_path / "report.html", tmp_path / "report.md"
    run(make_params("spam", "reviews"), PAGES, **folders, page=page, summary=summary, cards=tmp_path / "cards")
    for text in (page.read_text(encoding="utf-8"), summary.read_text(encoding="utf-8")):
        assert 0 < text.index("spam") < text.index("reviews")
        assert "questions" not in text
        assert "by number of labels" in text
        assert str(tmp_path) not in text
    assert "Not unfunny." in page.read_text(encoding="utf-8")
    assert "Not unfunny." not in summary.read_text(encoding="utf-8")


def test_each_task_has_a_card_and_no_other_has(folders: dict[str, Path], tmp_path: Path) -> None:
    outs = {key: tmp_path / file for key, file in zip(OUTPUTS, FILES, strict=True)}
    run(make_params("spam", "reviews"), PAGES, **folders, **outs)
    run(make_params("reviews"), PAGES, **folders, **outs)
    assert [path.name for path in (tmp_path / "cards").iterdir()] == ["reviews.md"]


def test_two_runs_give_the_same_bytes(folders: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        outs = {key: tmp_path / name / file for key, file in zip(OUTPUTS, FILES, strict=True)}
        run(make_params("reviews", "questions", "spam"), PAGES, **folders, **outs)
    for name in ("report.html", "report.md", "cards/reviews.md", "cards/questions.md", "cards/spam.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_encoders_are_shown_beside_chance(folders: dict[str, Path], tmp_path: Path) -> None:
    page, summary = tmp_path / "report.html", tmp_path / "report.md"
    run(
        make_params("spam", encoders=("scratch", "adapted")),
        PAGES,
        **folders,
        page=page,
        summary=summary,
        cards=tmp_path / "cards",
    )
    text = page.read_text(encoding="utf-8")
    assert text.count("Pretraining curve") == 2
    ended = "400 of 400 steps,\nended after all steps"
    assert text.index(f"scratch: {ended}") < text.index(f"adapted: {ended}")
    assert "| scratch | 100.0 | 641.7 | 0.300 | 0.055 | 0.750 | 0.520 |" in summary.read_text(encoding="utf-8")
    run(make_params("spam", encoders=()), PAGES, **folders, page=page, summary=summary, cards=tmp_path / "cards")
    assert "Pretrained encoders" not in page.read_text(encoding="utf-8") + summary.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_missing_document_is_named(folders: dict[str, Path], tmp_path: Path, folder: str) -> None:
    (folders[folder] / "spam.json").unlink()
    outs = {"page": tmp_path / "report.html", "summary": tmp_path / "report.md", "cards": tmp_path / "cards"}
    with pytest.raises(EnvironmentFault, match=rf"{folder}/spam\.json.*could not be read"):
        run(make_params("reviews", "spam"), PAGES, **folders, **outs)
    assert not any(path.exists() for path in outs.values())


def test_a_missing_template_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(TEMPLATE_FOLDER, tmp_path / "templates")
    (copy / "study.html").unlink()
    outs = {"page": tmp_path / "report.html", "summary": tmp_path / "report.md", "cards": tmp_path / "cards"}
    with pytest.raises(EnvironmentFault, match=r"templates/study\.html"):
        run(make_params("spam"), PAGES, **{**folders, "templates": copy}, **outs)
    assert not any(path.exists() for path in outs.values())


def test_an_early_end_is_reported(folders: dict[str, Path], tmp_path: Path) -> None:
    history = pretraining("small", pairs=False)
    write_json(folders["pretraining"] / "small.json", {**history, "steps": 900, "stopped": "early"})
    page, summary = tmp_path / "report.html", tmp_path / "report.md"
    run(
        make_params("spam", encoders=("small",)), PAGES, **folders, page=page, summary=summary, cards=tmp_path / "cards"
    )
    text = page.read_text(encoding="utf-8")
    assert "small: 400 of 900 steps,\nended early: validation no longer improved" in text
