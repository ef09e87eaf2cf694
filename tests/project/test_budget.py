import pytest

from pipeline.__main__ import main
from pipeline.repository.durations import record_duration
from pipeline.settings.parse import parse_params
from tests.given.searches import list_rounds
from tests.given.settings import read, with_profiles


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(with_profiles("params.yaml", "search"))
    return tmp_path


def rounds(workspace) -> int:
    written = parse_params((workspace / "params.yaml").read_text())[0]["search"]["rounds"]
    assert written == list_rounds(len(written))
    return len(written)


@pytest.mark.parametrize(("trials", "expected"), [(1, 1), (4, 1), (5, 2), (64, 16)])
def test_a_number_of_trials_is_rounded_up_to_whole_rounds(workspace, capsys, trials, expected):
    before = (workspace / "params.yaml").read_text()
    assert main(["budget", "--trials", str(trials)]) == 0
    assert rounds(workspace) == expected
    assert f"{4 * expected + 4 * 3} trainings" in capsys.readouterr().out
    kept = [line for line in before.splitlines() if "- {round" not in line]
    assert [line for line in (workspace / "params.yaml").read_text().splitlines() if "- {round" not in line] == kept


def test_minutes_are_rounds_by_the_time_of_a_training(workspace, capsys):
    record_duration(workspace, "finetune@reviews", 60.0)
    assert main(["budget", "--minutes", "30"]) == 0
    assert rounds(workspace) == (30 - 12) // 4
    record_duration(workspace, "trial@reviews-round3-2", 30.0)  # a trial of its own tells better
    assert main(["budget", "--minutes", "30"]) == 0
    assert rounds(workspace) == (60 - 12) // 4
    assert "30 minutes" in capsys.readouterr().out


def test_a_halved_trial_takes_the_time_of_its_parts(workspace, capsys):
    (workspace / "params.yaml").write_text(with_profiles("params.yaml", "search", "halving"))
    record_duration(workspace, "finetune@reviews", 60.0)  # a trial then half of it: 1/4 + 1/2 * 1/4 + 1/4 * 1/2
    assert main(["budget", "--minutes", "30"]) == 0
    assert rounds(workspace) == (30 - 12) // 2
    for name, seconds in (("trial", 40.0), ("rung0", 60.0), ("rung0", 0.0), ("rung1", 20.0)):
        part = name.partition("rung")[2]
        stage = f"rung@reviews-round0-rung{part}-{1 + (seconds > 0)}" if part else "trial@reviews-round0-1"
        record_duration(workspace, stage, seconds)
    assert main(["budget", "--minutes", "30"]) == 0  # 40, 30 and 20 seconds; the last trainings are whole ones
    assert rounds(workspace) == (30 - 12) * 60 // (4 * 90)
    record_duration(workspace, "confirm@reviews-first-1", 120.0)
    assert main(["budget", "--minutes", "30"]) == 0
    assert rounds(workspace) == (30 - 24) * 60 // (4 * 90)
    assert "16 trainings" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [], ["--trials", "4", "--minutes", "5"], ["--minutes", "5"], ["--minutes", "inf"], ["--trials", "9999999"],
        ["--trials", "0"],
    ],
)  # fmt: skip
def test_a_budget_that_says_nothing_is_refused(workspace, words):
    before = (workspace / "params.yaml").read_text()
    assert main(["budget", *words]) == 2
    assert (workspace / "params.yaml").read_text() == before


def test_too_few_minutes_name_the_fewest(workspace, capsys):
    record_duration(workspace, "finetune@reviews", 60.0)
    assert main(["budget", "--minutes", "15"]) == 2
    assert "16 minutes" in capsys.readouterr().err


def test_without_a_search_there_is_no_budget(workspace, capsys):
    (workspace / "params.yaml").write_text(read("params.yaml"))
    assert main(["budget", "--trials", "4"]) == 2
    assert "profiles/search" in capsys.readouterr().err


def test_rounds_that_cannot_be_replaced_are_kept(workspace):
    file = workspace / "params.yaml"
    head, _, tail = file.read_text().partition("  rounds:")
    rest = tail[tail.index("\n  ") :].splitlines(keepends=True)
    others = "".join(line for line in rest if "- {round" not in line)
    before = f"{head}  rounds: [{{round: 0, after: start}}]{others}"
    file.write_text(before)
    assert main(["budget", "--trials", "8"]) == 2
    assert file.read_text() == before
