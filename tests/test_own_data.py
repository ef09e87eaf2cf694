"""The lines that add a task by hand, taken from the documentation and run."""

import csv
import json
import re
from pathlib import Path

from pipeline.core.command_line import run_stage

ROOT = Path.cwd()
TEAMS = {
    "billing": "the invoice is wrong by",
    "delivery": "the parcel came late by",
    "product": "the handle broke after",
}


def seven_lines() -> str:
    page = (ROOT / "docs/how-to/tasks.md").read_text(encoding="utf-8")
    match = re.search(r"<!-- own data -->\n```yaml\n(.*?)```\n<!-- /own data -->", page, flags=re.DOTALL)
    assert match
    assert len(match.group(1).splitlines()) == 8
    return match.group(1)


def test_eight_lines_add_a_task(tmp_path, encoder):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert text.count("\ntasks:\n") == 1
    settings, profiles, resolved = tmp_path / "params.yaml", tmp_path / "profiles.json", tmp_path / "params.json"
    text = re.sub(r"(  max_unknown_share: )[\d.]+", r"\g<1>1.0", text)  # the encoder of the tests knows few words
    settings.write_text(text.replace("\ntasks:\n", f"\ntasks:\n{seven_lines()}"), encoding="utf-8")
    profiles.write_text("{}")
    file = tmp_path / "raw/tickets/tickets.csv"
    file.parent.mkdir(parents=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["body", "team"])
        rows.writerows(
            [f"{text} {number} days, no. {number * 7}", team] for number in range(200) for team, text in TEAMS.items()
        )

    def path(name: str) -> str:
        return str(tmp_path / name)

    inputs = ["--settings", str(settings), "--profiles", str(profiles), "--corrections", "data/corrections"]
    run_stage("params", [*inputs, "--resolved", str(resolved)])
    common = ["tickets", "--params", str(resolved)]
    run_stage("ingest", [*common, "--raw", path("raw"), "--examples", path("examples"), "--intake", path("intake")])
    inputs = ["--examples", path("examples")]
    run_stage("validate", [*common, *inputs, "--intake", path("intake"), "--findings", path("findings")])
    run_stage(
        "tokenize",
        [*common, *inputs, "--findings", path("findings"), "--encoder", str(encoder), "--tokens", path("tokens")],
    )
    counts = json.loads((tmp_path / "intake").read_text())
    assert (counts["task"], counts["rows"], counts["kept"]) == ("tickets", 600, 600)
    assert set(counts["splits"]["train"]) == set(TEAMS)
    assert (tmp_path / "tokens").stat().st_size > 0
