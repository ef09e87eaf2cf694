import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.core.tables import labels_of, read_parquet
from pipeline.examples.text import text_id
from pipeline.kinds.text_classification.checks import CHECKS
from pipeline.kinds.text_classification.examples import EXAMPLES
from pipeline.settings.shared.texts import LabelledTextParams
from pipeline.stages.ingest import MOST_FILES, run
from pipeline.stages.validate import run as validate
from tests.given.ingesting import ingest_params
from tests.given.validating import make_params

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
REVIEWS = {"file": "reviews.csv", "labels": ["negative", "positive"], "keep": ["topic"]}
TOPICS = {"file": "topics.jsonl", "format": "jsonl", "labels": ["food", "sport", "travel"]}


def ingest(params: LabelledTextParams, raw: Path, out: Path) -> tuple[Path, Path]:
    run(params, EXAMPLES, raw=raw, examples=out / "examples.parquet", intake=out / "intake.json")
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


def test_intake_knows_its_files_by_their_content(tmp_path: Path) -> None:
    for name, label in (("a.csv", "pos"), ("b.csv", "neg")):
        rows = "".join(f"the {label} text {n},{label}\n" for n in range(40))
        (tmp_path / name).write_text(f"text,label\n{rows}", encoding="utf-8")
    folder = tmp_path.parent
    _, intake = ingest(ingest_params(file=tmp_path.name, files=["*.csv"]), folder, tmp_path)
    expected = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
                for name in (f"{tmp_path.name}/a.csv", f"{tmp_path.name}/b.csv")}  # fmt: skip
    assert read_json(intake)["sha256"] == expected


def test_many_files_are_known_by_one_sum(tmp_path: Path) -> None:
    names = [f"{number:02}.csv" for number in range(MOST_FILES + 1)]
    (tmp_path / "raw").mkdir()
    for number, name in enumerate(names):
        rows = "".join(f"text {number} {row},{('pos', 'neg')[row % 2]}\n" for row in range(20))
        (tmp_path / "raw" / name).write_text(f"text,label\n{rows}")
    own = {"file": "raw", "files": ["*.csv"], "labels": ["neg", "pos"]}
    counts = read_json(ingest(ingest_params(**own), tmp_path, tmp_path)[1])
    (title,) = counts["sha256"]
    assert title == f"raw: {len(names)} files"
    assert counts["files"] == {title: 20 * len(names)}
    lines = "".join(
        f"{hashlib.sha256((tmp_path / 'raw' / name).read_bytes()).hexdigest()}  raw/{name}\n" for name in names
    )
    assert counts["sha256"][title] == hashlib.sha256(lines.encode()).hexdigest()


def test_intake_names_no_text(tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("text,label\nsecret,pos\nsecret,neg\nfine,pos\nawful,neg\n", encoding="utf-8")
    _, intake = ingest(ingest_params(), tmp_path, tmp_path)
    assert not any(word in intake.read_text(encoding="utf-8") for word in ("secret", "fine", "awful"))


def test_bad_data_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("text,label\nfine,good\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"tiny\.csv:2: column 'label'"):
        ingest(ingest_params(), tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.csv"]


ROWS = [
    (None if n % 20 == 0 else f"the lamp {n} is fine", None if n % 15 == 0 else "pos" if n % 2 else "neg")
    for n in range(60)
]


def as_csv(rows: Sequence[tuple[str | None, str | None]]) -> bytes:
    return "\n".join(["text,label", *(f"{text or ''},{label or ''}" for text, label in rows)]).encode()


def as_jsonl(rows: Sequence[tuple[str | None, str | None]]) -> bytes:
    return "\n".join(["", *(json.dumps({"text": text, "label": label}) for text, label in rows)]).encode()


def as_parquet(rows: Sequence[tuple[str | None, str | None]]) -> bytes:
    stream = io.BytesIO()
    columns = zip(*rows, strict=True)
    pq.write_table(pa.table(dict(zip(("text", "label"), columns, strict=True))), stream)
    return stream.getvalue()


@pytest.mark.parametrize(("form", "write"), [("delimited", as_csv), ("jsonl", as_jsonl), ("parquet", as_parquet)])
def test_what_is_not_there_has_one_policy_in_every_format(tmp_path: Path, form: str, write: Any) -> None:
    (tmp_path / "tiny.csv").write_bytes(write(ROWS))
    examples, intake = ingest(ingest_params(format=form, unlabelled="drop"), tmp_path, tmp_path)
    dropped = {"empty": 3, "removed": 0, "unlabelled": 3, "duplicates": 0, "conflicts": 0, "leaks": 0}
    assert read_json(intake)["dropped"] == dropped
    assert read_parquet(examples)["text"].to_pylist() == [text for text, label in ROWS if text and label]
    with pytest.raises(DataError, match=r"4 row\(s\) without a label(.|\n)*3 row\(s\) without a visible character"):
        ingest(ingest_params(format=form, empty="fail"), tmp_path, tmp_path)


def test_train_and_test_may_be_files_and_validation_comes_out_of_train(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, count in {"train.csv": 200, "test.csv": 40}.items():
        rows = [f"{name} {n},{'pos' if n % 2 else 'neg'}" for n in range(count)]
        (folder / name).write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    params = ingest_params(file="set", files={"train": ["train.csv"], "test": ["test.csv"]})
    examples, intake = ingest(params, tmp_path, tmp_path)
    rows = read_parquet(examples).to_pylist()
    assert {row["split"] for row in rows if row["text"].startswith("test")} == {"test"}
    sides = [row["split"] for row in rows if row["text"].startswith("train")]
    assert 10 < sides.count("validation") < 40
    assert sides.count("train") + sides.count("validation") == 200
    assert read_json(intake)["files"] == {"train.csv": 200, "test.csv": 40}
    assert all(row["text"].startswith(row["file"]) for row in rows)


def findings(tmp_path: Path, content: bytes, **own: Any) -> dict[str, str]:
    """Return the severity of each check that fails on a file; a DataError names the critical ones."""
    (tmp_path / "tiny.csv").write_bytes(content)
    examples, intake = ingest(ingest_params(**own), tmp_path, tmp_path)
    validate(
        make_params(max_near_share=1), CHECKS, examples=examples, intake=intake, findings=tmp_path / "findings.json"
    )
    checks = read_json(tmp_path / "findings.json")["checks"]
    return {check["check"]: check["severity"] for check in checks if check["outcome"] == "failed"}


def lines(template: str, count: int = 600) -> str:
    texts = (template.format(f"{n * 7919} {n} {n * 104729}") for n in range(count))
    return "\n".join(["text,label", *(f'"{text}",{"pos" if n % 2 else "neg"}' for n, text in enumerate(texts))])


def test_latin_1_on_a_file_of_windows_is_a_critical_finding(tmp_path: Path) -> None:
    content = lines("I don\u2019t like lamp {} at \u20ac5").encode("cp1252")
    with pytest.raises(DataError) as caught:
        findings(tmp_path, content, encoding="latin-1")
    message = str(caught.value)
    assert "misread_share" in message
    assert "`ingest.encoding: cp1252`" in message
    assert findings(tmp_path, content, encoding="cp1252") == {}
    with pytest.raises(DataError, match="misread_share"):
        findings(tmp_path, content.decode("latin-1").encode())  # C1 controls in UTF-8


@pytest.mark.parametrize(
    ("template", "check"),
    [
        ("salt &amp; pepper &lt;br&gt; {}", "html_share"),
        ("<p>one {}</p>", "html_share"),
        ("one%20two {}", "percent_share"),
        (r"caf\u00e9 {}", "backslash_share"),
        ("caf\u0065\u0301 {}", "normalised_share"),
        ("one \u200b {}", "control_share"),
        ("  one {}", "trimmed_share"),
    ],
)
def test_text_that_a_former_tool_escaped_or_intake_changed_is_a_warning(
    tmp_path: Path, template: str, check: str
) -> None:
    assert findings(tmp_path, lines(template).encode()) == {check: "warning"}
    assert findings(tmp_path, (lines("plain {}") + f"\n{template.format(1)},pos").encode()) == {}


def test_corrections_are_counted_in_a_line_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(60)))
    corrected = {text_id("text 1"): {"label": "b", "correction": "a"}, "0" * 16: {"label": None, "correction": "a"}}
    ingest(ingest_params(file="t.csv", labels=["a", "b"]), tmp_path, tmp_path)
    assert capsys.readouterr().out.count("\n") == 1
    ingest(ingest_params(file="t.csv", labels=["a", "b"], corrected=corrected), tmp_path, tmp_path)
    assert re.findall(r"\d+", capsys.readouterr().out.splitlines()[1]) == ["2", "1", "1"]
