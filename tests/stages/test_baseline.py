from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import sha256, write_json
from pipeline.core.tables import describe, labels_of, metadata_of, read_parquet, task_of, write_arrow, write_parquet
from pipeline.kinds.text_classification.baselines import BASELINES
from pipeline.linear import rows
from pipeline.linear.rows import draw_rows
from pipeline.linear.saved import LINEAR_MANIFEST, WEIGHTS, read_linear
from pipeline.predict.linear.predictor import load_linear
from pipeline.settings.task import BaselineParams
from pipeline.stages.baseline import run

LABELS = ("ham", "spam")
PARAMS = BaselineParams(
    task="toy",
    sample=1000,
    ngrams=1,
    characters=3,
    min_df=1,
    strengths=(1.0, 10.0),
    probe_strengths=(0.1, 1.0),
    max_iter=1000,
)


def example_table(*, test_text: str = "win a prize") -> pa.Table:
    texts = {"ham": "see you at home", "spam": "win money now"}
    rows = [(split, label) for split in ("train", "test", "validation", "train", "train") for label in LABELS]
    rows += [("train", "ham")] * 2
    columns = {
        "id": [f"{row:016x}" for row in range(len(rows))],
        "split": [split for split, _ in rows],
        "text": [test_text if split == "test" else f"{texts[label]} {row}" for row, (split, label) in enumerate(rows)],
        "label": [LABELS.index(label) for _, label in rows],
        "row": list(range(1, len(rows) + 1)),
    }
    return describe(pa.table(columns), task="toy", labels=LABELS)


def feature_table(table: pa.Table) -> pa.Table:
    """Two numbers a row: the first tells the class, with noise; the second is noise."""
    noise = np.random.default_rng(0).normal(size=(len(table), 2)).astype(np.float32)
    noise[:, 0] += 4 * table["label"].to_numpy()
    columns = {
        "id": table["id"],
        "split": table["split"],
        "features": pa.FixedSizeListArray.from_arrays(noise.ravel(), 2),
    }
    return describe(pa.table(columns), task="toy", labels=LABELS)


def measured(folder: Path, table: pa.Table, features: pa.Table | None = None, params: BaselineParams = PARAMS) -> Path:
    folder.mkdir(exist_ok=True)
    given = feature_table(table) if features is None else features
    write_arrow(folder / "features.arrow", given.schema, given.to_batches(max_chunksize=3))
    write_parquet(folder / "examples.parquet", table)
    write_json(folder / "findings.json", {"task": "toy"})
    out = folder / "baselines.parquet"
    run(
        params,
        BASELINES,
        examples=folder / "examples.parquet",
        findings=folder / "findings.json",
        features=folder / "features.arrow",
        baselines=out,
        linear=folder / "linear",
    )
    return out


def test_every_row_that_is_not_train_gets_probabilities(tmp_path: Path) -> None:
    found = read_parquet(measured(tmp_path, example_table()))
    assert (task_of(found), labels_of(found)) == ("toy", LABELS)
    assert found.schema.names == ["id", "split", "majority", "tfidf", "probe"]
    assert found.schema.types == [pa.string(), pa.string(), *[pa.list_(pa.float64())] * 3]
    assert found["split"].to_pylist() == ["test", "test", "validation", "validation"]
    assert found["id"].to_pylist() == [f"{row:016x}" for row in (2, 3, 4, 5)]
    assert found["majority"].to_pylist() == [[5 / 8, 3 / 8]] * 4
    tfidf = np.array(found["tfidf"].to_pylist())
    assert tfidf.argmax(axis=1).tolist() == [1, 1, 0, 1]
    assert tfidf.sum(axis=1) == pytest.approx(1)
    probe = np.array(found["probe"].to_pylist())
    assert probe.argmax(axis=1).tolist() == [0, 1, 0, 1]
    assert probe.sum(axis=1) == pytest.approx(1)


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (sha256(measured(tmp_path / name, example_table())) for name in ("a", "b"))
    assert first == second
    kept = [{path.name: sha256(path) for path in (tmp_path / name / "linear").iterdir()} for name in ("a", "b")]
    assert kept[0] == kept[1]
    assert {*kept[0]} == {LINEAR_MANIFEST, WEIGHTS}


def test_the_model_that_is_kept_gives_the_same_bits(tmp_path: Path) -> None:
    found = read_parquet(measured(tmp_path, example_table()))
    predictor = load_linear(tmp_path / "linear")
    assert (predictor.task, predictor.labels, predictor.kind) == ("toy", LABELS, "text-classification")
    texts = example_table().filter(pc.not_equal(example_table()["split"], "train"))["text"].to_pylist()
    assert predictor.predict(texts).tolist() == found["tfidf"].to_pylist()


def test_test_texts_change_no_other_row(tmp_path: Path) -> None:
    one, other = (
        read_parquet(measured(tmp_path / name, example_table(test_text=text))).to_pylist()
        for name, text in (("a", "win a prize"), ("b", "see unheard words at home"))
    )
    assert one[2:] == other[2:]
    assert one[:2] != other[:2]


def test_features_of_other_examples_or_in_another_order_are_refused(tmp_path: Path) -> None:
    table = example_table()
    given = feature_table(table)
    with pytest.raises(DataError, match=r"features: .*\b11 rows for 12\b"):
        measured(tmp_path / "short", table, given.slice(1))
    with pytest.raises(
        DataError, match=r"features: not of these examples in their order, 10 ids differ: '000000000000000b'"
    ):
        measured(tmp_path / "turned", table, given.take(list(range(len(given)))[::-1]))


# ------------------------------------------------------------------------------------------------ many rows
def many_rows(rows: int) -> pa.Table:
    """Texts with a word of their class, in splits that alternate."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=rows)
    splits = rng.choice(["train", "validation", "test"], size=rows, p=[0.6, 0.2, 0.2])
    columns = {
        "id": [f"{row:016x}" for row in range(rows)],
        "split": splits,
        "text": [f"{('ham', 'spam')[label]} {rng.integers(50)}" for label in labels],
        "label": labels,
        "row": np.arange(1, rows + 1),
    }
    return describe(pa.table(columns), task="toy", labels=LABELS)


def test_pieces_give_the_answers_of_the_whole(tmp_path, monkeypatch):
    table = many_rows(300)
    whole = read_parquet(measured(tmp_path / "whole", table))
    monkeypatch.setattr(rows, "PIECE_ROWS", 7)
    parts = read_parquet(measured(tmp_path / "parts", table))
    assert parts.drop_columns("probe").equals(whole.drop_columns("probe"))
    assert np.array(parts["probe"].to_pylist()) == pytest.approx(np.array(whole["probe"].to_pylist()), abs=1e-12)
    assert {path.name: sha256(path) for path in (tmp_path / "whole/linear").iterdir()} == {
        path.name: sha256(path) for path in (tmp_path / "parts/linear").iterdir()
    }


def test_of_many_rows_a_sample_is_fitted_to_and_all_are_asked(tmp_path, capsys):
    table = many_rows(600)
    counts = {split: len(table.filter(pc.equal(table["split"], split))) for split in ("train", "validation", "test")}
    few = read_parquet(measured(tmp_path, table, params=PARAMS.model_copy(update={"sample": 100})))
    assert few["id"].equals(table.filter(pc.not_equal(table["split"], "train"))["id"])
    asked = {split: counts[split] for split in ("train", "validation")}
    said = f"100 of {asked['train']} train and 20 of {asked['validation']} validation"
    assert capsys.readouterr().out.splitlines()[-1] == f"fitted to {said} rows"
    assert metadata_of(few)[b"sample"].decode() == f"fitted to {said} rows"
    assert read_linear(tmp_path / "linear").saved.choice.endswith(f"; fitted to {said} rows")
    drawn = draw_rows(tmp_path / "examples.parquet", 100).piece
    assert few["majority"].to_pylist()[0] == pytest.approx(
        [
            (drawn.rows.filter(pc.equal(drawn.rows["split"], "train"))["label"].to_numpy() == label).mean()
            for label in (0, 1)
        ]
    )
