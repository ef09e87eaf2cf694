import csv

import pytest

from pipeline.__main__ import main
from pipeline.core.errors import DataError, UsageError
from pipeline.project.relabel import CORRECTIONS, SUSPECTS, add_suspects, read_table
from pipeline.settings.corrections import parse_corrections

COLUMNS = ("line", "id", "label", "text", "correction")
FIRST, SECOND, THIRD = (f"{number:016x}" for number in range(3))


@pytest.fixture
def suspects(tmp_path):
    """Return what writes the suspects of the task t below a folder, by id."""

    def write(*ids):
        path = tmp_path / SUSPECTS / "t.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerows([COLUMNS, *((n, name, "a", 'of "two"\nlines', "") for n, name in enumerate(ids))])

    return write


def corrections(root):
    path = root / CORRECTIONS / "t.csv"
    return {name: item.correction for name, item in parse_corrections(path.read_text("utf-8-sig"), file="t").items()}


def test_the_corrections_of_all_rounds_stay(suspects, tmp_path):
    suspects(FIRST, SECOND)
    assert add_suspects("t", tmp_path) == (0, 2)
    path = tmp_path / CORRECTIONS / "t.csv"
    assert path.read_bytes() == (tmp_path / SUSPECTS / "t.csv").read_bytes()
    text = path.read_text("utf-8-sig")
    path.write_text(text.replace('lines",', 'lines",b', 1).replace("correction", "correction,by"))
    with pytest.raises(DataError, match="line 2"):  # a cell less than the header has
        add_suspects("t", tmp_path)
    path.write_text(text.replace('lines",', 'lines",b', 1))
    suspects(SECOND, THIRD)
    assert add_suspects("t", tmp_path) == (1, 2)
    assert corrections(tmp_path) == {FIRST: "b"}
    assert [row["id"] for row in read_table(path).rows] == [FIRST, SECOND, THIRD]
    path.write_text(path.read_text("utf-8-sig").replace('lines",\n', 'lines",-\n'))
    suspects(FIRST)  # suspected again, under its new label
    assert add_suspects("t", tmp_path) == (3, 0)
    assert corrections(tmp_path) == {FIRST: "b", SECOND: "-", THIRD: "-"}


def test_further_columns_of_either_file_stay(suspects, tmp_path):
    suspects(SECOND)
    path = tmp_path / CORRECTIONS / "t.csv"
    path.parent.mkdir()
    path.write_text(f"id,correction,by\n{FIRST},b,me\n")
    add_suspects("t", tmp_path)
    columns, (old, new) = read_table(path)
    assert columns == (*COLUMNS, "by")
    assert (old["by"], old["text"], new["by"]) == ("me", "", "")


def test_the_command_names_the_file_and_what_it_lacks(suspects, tmp_path, monkeypatch, capsys):
    suspects(FIRST)
    monkeypatch.chdir(tmp_path)
    assert main(["relabel", "t"]) == 0
    assert str(CORRECTIONS / "t.csv") in capsys.readouterr().out
    assert main(["relabel", "other"]) == 2
    assert "inspect@other" in capsys.readouterr().err
    with pytest.raises(UsageError):
        add_suspects("other")
    (CORRECTIONS / "t.csv").write_bytes(b"id,correction\n\xff,b\n")
    assert main(["relabel", "t"]) == 3
