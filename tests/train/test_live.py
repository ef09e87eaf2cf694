"""The curves of a training grow by step, and a kill, a full disk or a damaged file leaves no trace in the training."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Stopped
from pipeline.finetune.classification import CLASSES
from pipeline.train.live import cut_rows, name_scores
from pipeline.train.resume import run_to_end
from pipeline.train.training import Training
from tests.given.training import DEVICE, contents, model, rows, with_params

PARAMS = with_params(epochs=3, evaluations=1, batch_tokens=32, metric="loss")
STEPS = st.lists(st.integers(1, 10**6), unique=True, max_size=20).map(sorted)


def training(encoder: Path) -> Training:
    return Training(model(encoder, PARAMS), rows(80), rows(20, seed=1), PARAMS, DEVICE, CLASSES)


def read(folder: Path) -> dict[str, list[dict[str, str]]]:
    return {
        path.relative_to(folder).with_suffix("").as_posix(): list(
            csv.DictReader(path.read_text().splitlines(), delimiter="\t")
        )
        for path in sorted(folder.rglob("*.tsv"))
    }


@pytest.fixture(scope="module")
def undisturbed(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    trained = run_to_end(training(encoder), folder / "work", key="k", live=folder / "live", seconds=3600.0)
    return trained, folder / "live"


def test_each_evaluation_and_each_read_of_losses_is_a_row(undisturbed):
    trained, live = undisturbed
    curves = read(live)
    assert list(curves) == ["train/loss", "validation/accuracy", "validation/loss", "validation/macro_f1"]
    evaluated = [str(scores.step) for scores in trained.evaluations]
    assert [(row["step"], float(row["loss"])) for row in curves["validation/loss"]] == [
        (str(scores.step), scores.loss) for scores in trained.evaluations
    ]
    steps = [row["step"] for row in curves["train/loss"]]
    assert set(evaluated) < set(steps)
    assert "16" in steps
    assert steps == sorted(set(steps), key=int)
    first = [row for row in curves["train/loss"] if int(row["step"]) <= trained.evaluations[0].step]
    widths = [int(row["step"]) - int(before) for before, row in zip(["0", *steps], first, strict=False)]
    mean = sum(float(row["loss"]) * width for row, width in zip(first, widths, strict=True)) / sum(widths)
    assert mean == pytest.approx(trained.evaluations[0].train_loss)  # each update is in one row


@pytest.mark.parametrize("stops", [(1, 5, 17), (16, 40)])
def test_a_training_that_stops_and_resumes_leaves_the_same_files(encoder, undisturbed, tmp_path, stops):
    """Checkpoints read the losses at other steps; rows written after the last of them are cut."""
    for stop in (*stops, 0):
        under_way = training(encoder)
        advance = under_way.advance

        def advance_and_fail(advance=advance, under_way=under_way, stop=stop) -> None:
            advance()
            if under_way.done == stop:
                raise Stopped("as by a kill")

        under_way.advance = advance_and_fail
        try:
            run_to_end(under_way, tmp_path / "work", key="k", live=tmp_path / "live", seconds=0.0)
        except Stopped:
            for path in (tmp_path / "live").rglob("*.tsv"):
                with path.open("a") as stream:
                    stream.write(f"{stop}\t0.5\n{stop}")  # after the checkpoint, and not whole
    assert contents(tmp_path / "live") == contents(undisturbed[1])


def test_a_training_that_begins_anew_begins_its_curves_anew(encoder, undisturbed, tmp_path):
    (tmp_path / "live").mkdir()
    (tmp_path / "live/older.tsv").write_text("step\tolder\n1\t2\n")
    run_to_end(training(encoder), tmp_path / "work", key="k", live=tmp_path / "live", seconds=3600.0)
    assert contents(tmp_path / "live") == contents(undisturbed[1])


def test_a_disk_that_is_full_and_a_file_that_is_damaged_stop_no_training(encoder, undisturbed, tmp_path, capsys):
    (tmp_path / "live").write_text("in the way")
    blocked = tmp_path / "live" / "curves"
    assert run_to_end(training(encoder), tmp_path / "a", key="k", live=blocked, seconds=3600.0) == undisturbed[0]
    assert capsys.readouterr().out.count("no live curves in") == 1
    under_way = training(encoder)
    under_way.advance()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "loss.tsv").write_bytes(b"step\tloss\n\xff\t1\n")
    assert run_to_end(under_way, tmp_path / "b", key="k", live=damaged, seconds=3600.0) == undisturbed[0]
    assert capsys.readouterr().out.count("no live curves in") == 1


@given(STEPS, st.integers(0, 10**6))
def test_a_cut_keeps_the_rows_up_to_its_step_and_drops_an_unfinished_line(steps, step):
    header, lines = "step\tloss\n", [f"{number}\t0.5\n" for number in steps]
    whole = header + "".join(lines)
    kept = cut_rows(whole, step)
    assert kept == header + "".join(line for number, line in zip(steps, lines, strict=True) if number <= step)
    assert cut_rows(whole[:-1], 10**6) == header * bool(lines) + "".join(lines[:-1])


def test_a_score_that_was_not_measured_has_no_curve():
    evaluation = {"step": 1, "epoch": 0.5, "learning_rate": 0.1, "train_loss": 2.0, "loss": 1.5, "pair_loss": None}
    assert name_scores(evaluation) == {"validation/loss": 1.5}
