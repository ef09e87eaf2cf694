from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.core.tables import labels_of, read_parquet
from pipeline.settings.ingest import IngestParams
from pipeline.stages.ingest import run
from tests.given.ingesting import ingest_params

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
REVIEWS = {"file": "reviews.csv", "labels": ["negative", "positive"], "keep": ["topic"]}
TOPICS = {"file": "topics.jsonl", "format": "jsonl", "labels": ["food", "sport", "travel"]}


def ingest(params: IngestParams, raw: Path, out: Path) -> tuple[Path, Path]:
    run(params, raw=raw, examples=out / "examples.parquet", intake=out / "intake.json")
    return out / "examples.parquet", out / "intake.json"


@pytest.mark.parametrize(("own", "rows"), [(REVIEWS, 240), (TOPICS, 180)])
def test_the_samples_come_in_clean(tmp_path: Path, own: dict[str, Any], rows: int) -> None:
    examples, intake = ingest(ingest_params(**own), SAMPLE, tmp_path)
    table, counts = read_parquet(examples), read_json(intake)
    assert table.num_rows == counts["rows"] == counts["kept"] == rows
    assert labels_of(table) == tuple(own["labels"])
    assert all(count > 0 for split in counts["splits"].values() for count in split.values())


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    first = ingest(ingest_params(**REVIEWS), SAMPLE, tmp_path / "first")
    second = ingest(ingest_params(**REVIEWS), SAMPLE, tmp_path / "second")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_intake_names_no_text(tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("text,label\nsecret,pos\nsecret,neg\nfine,pos\nawful,neg\n", encoding="utf-8")
    _, intake = ingest(ingest_params(), tmp_path, tmp_path)
    assert not any(word in intake.read_text(encoding="utf-8") for word in ("secret", "fine", "awful"))


def test_bad_data_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("text,label\nfine,good\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"tiny\.csv:2: column 'label'"):
        ingest(ingest_params(), tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.csv"]
