"""The plan, compared with what a real `dvc repro` then does, over random edits of a wide graph.

forecast.py, known_outputs.py, lock_file.py, outputs.py and most of reasons.py are tested here, through the planner.
"""

import json
import random
import re

import pytest

from pipeline.__main__ import main
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.repository.lock_file import repair, restore_order
from pipeline.repository.outputs import list_pages, read_metrics
from pipeline.repository.plan import PlannedStage, list_affected
from pipeline.repository.planner import plan_stages
from tests.given.projects import Project

# Commands of all kinds: files, folders, a file out of a folder, a folder of files of several stages, outputs outside of
# the cache, metrics, parameters of a file that a stage makes, and one whose output often stays the same (`first`).
WIDE = """
stages:
  settle:
    meta: {foreseeable: true}
    cmd: cp params.yaml resolved.yaml
    deps: [params.yaml]
    outs: [resolved.yaml: {cache: false}]
  first:
    cmd: head -c 1 a.txt > out/first
    deps: [a.txt]
    outs: [out/first]
  folder:
    cmd: mkdir -p out/folder && cp a.txt out/folder/a && cp b.txt out/folder/b
    deps: [a.txt, b.txt]
    outs: [out/folder]
  tuned:
    cmd: cat b.txt resolved.yaml > out/tuned
    deps: [b.txt]
    params: [resolved.yaml: [x]]
    outs: [out/tuned]
  plain:
    cmd: cat out/first b.txt > plain.txt
    deps: [out/first, b.txt]
    outs: [plain.txt: {cache: false}]
  inside:
    cmd: cat out/folder/b out/first > out/inside
    deps: [out/folder/b, out/first]
    outs: [out/inside]
  measured:
    cmd: 'echo "{\\"m\\": $(cat out/tuned | wc -c).5}" > measured.json'
    deps: [out/tuned]
    params: [resolved.yaml: [y]]
    metrics: [measured.json: {cache: false}]
  left:
    cmd: mkdir -p parts && cat out/folder/a out/inside > parts/left
    deps: [out/folder, out/inside]
    outs: [parts/left]
  right:
    cmd: mkdir -p parts && cat measured.json > parts/right
    deps: [measured.json]
    outs: [parts/right]
  lonely:
    cmd: cat c.txt > out/lonely
    deps: [c.txt]
    outs: [out/lonely]
  all:
    cmd: cat parts/left parts/right plain.txt > out/all
    deps: [parts, plain.txt]
    outs: [out/all]
  page:
    cmd: cat out/all > page.html
    deps: [out/all]
    outs: [page.html]
"""


@pytest.fixture
def wide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(
        tmp_path,
        {
            "dvc.yaml": WIDE, "a.txt": "a1", "b.txt": "b1", "c.txt": "c1", "out/.keep": "",
            "params.yaml": "x: {p: 1, q: 1}\ny: 1\nz: 1\n",
        },
    )  # fmt: skip


def reproduced(project: Project) -> dict[str, str]:
    """Return what a real `dvc repro` did with each stage."""
    output = project.run("dvc", "repro")
    ran = dict.fromkeys(re.findall(r"Running stage '([^']+)'", output), "ran")
    restored = dict.fromkeys(re.findall(r"Stage '([^']+)' is cached - skipping run", output), "restored")
    return {**dict.fromkeys(re.findall(r"Stage '([^']+)' didn't change", output), "unchanged"), **restored, **ran}


def edit(project: Project, draw: random.Random) -> str:
    """Change something of the project, or take a change back, and say what."""
    kind = draw.choice(["file", "file", "parameter", "parameter", "delete", "spoil", "command"])
    if kind == "file":
        name, text = draw.choice("abc"), draw.choice("123")
        project.write(f"{name}.txt", name + text)
        return f"{name}.txt = {text}"
    if kind == "parameter":
        values = [draw.choice("12") for _ in range(4)]
        project.write("params.yaml", "x: {{p: {}, q: {}}}\ny: {}\nz: {}\n".format(*values))
        return f"params {values}"
    out = draw.choice(["out/first", "out/tuned", "out/inside", "parts/left", "measured.json", "plain.txt"])
    if kind == "delete":
        (project.root / out).unlink(missing_ok=True)
        return f"rm {out}"
    if kind == "spoil":
        (project.root / out).unlink(missing_ok=True)
        project.write(out, "spoiled")
        return f"spoil {out}"
    text, number = project.read("dvc.yaml"), draw.choice("123")
    project.write("dvc.yaml", re.sub(r"cat c.txt.* > out/lonely", f"cat c.txt && echo {number} > out/lonely", text))
    return f"command {number}"


def is_true(stage: PlannedStage, did: str, before: set[str]) -> bool:
    """Return whether a verdict agrees with what happened; `before` are the stages whose output was not known."""
    if stage.verdict == "maybe":
        return bool(before & set(stage.needs))
    allowed = {"unchanged": {"unchanged"}, "restore": {"restored"}, "run": {"ran"}}[stage.verdict]
    return did in allowed or (did == "restored" and stage.verdict == "run" and bool(before & set(stage.needs)))


def compare_with_dvc(project: Project, draw: random.Random, edits: int) -> set[str]:
    """Plan and reproduce after each edit; return all verdicts that were seen."""
    seen = set()
    for _ in range(edits):
        done = [edit(project, draw) for _ in range(draw.choice([1, 1, 2]))]
        planned = plan_stages()
        assert plan_stages() == planned, "planning changed something"
        did = reproduced(project)
        assert {stage.name for stage in planned} == did.keys()
        open_ended = {stage.name for stage in planned if stage.verdict in ("run", "maybe") and stage.name != "settle"}
        wrong = [(stage, did[stage.name]) for stage in planned if not is_true(stage, did[stage.name], open_ended)]
        assert not wrong, f"after {done}: {wrong}"
        unexpected = {stage.name for stage in planned if stage.verdict == "unchanged"} & {
            name for name, end in did.items() if end != "unchanged"
        }
        assert not unexpected
        seen |= {stage.verdict for stage in planned}
        assert not list_affected(plan_stages()), "after a run nothing is left to do"
    return seen


@pytest.mark.parametrize("seed", [0, 1])
def test_a_plan_is_what_dvc_then_does(wide, seed):
    assert {stage.verdict for stage in plan_stages()} == {"run"}
    assert set(reproduced(wide).values()) == {"ran"}
    assert "run" in compare_with_dvc(wide, random.Random(seed), 6)


def test_what_a_folder_of_several_stages_was_made_into_is_restored_with_all_behind_it(wide):
    reproduced(wide)
    wide.write("a.txt", "a3")
    assert reproduced(wide)["all"] == "ran"
    wide.write("a.txt", "a1")
    verdicts = {stage.name: stage.verdict for stage in plan_stages()}
    assert (verdicts["left"], verdicts["all"], verdicts["page"]) == ("restore", "restore", "restore")
    did = reproduced(wide)
    assert (did["left"], did["all"], did["page"]) == ("restored", "restored", "restored")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 18))
def test_a_plan_is_what_dvc_then_does_after_many_edits(wide, seed):
    reproduced(wide)
    assert compare_with_dvc(wide, random.Random(seed), 30) == {"unchanged", "restore", "run", "maybe"}


def test_reasons_name_the_parameter_with_old_and_new_and_the_rest_is_open(wide):
    reproduced(wide)
    wide.write("params.yaml", "x: {p: 1, q: 7}\ny: 1\nz: 1\n")
    planned = {stage.name: stage for stage in plan_stages()}
    assert [tuple(reason) for reason in planned["settle"].reasons] == [("dependency", "params.yaml", None, "modified")]
    assert [tuple(reason) for reason in planned["tuned"].reasons] == [("parameter", "x.q", 1, 7)]
    assert planned["tuned"].verdict == "run"
    assert planned["measured"].verdict == "maybe"
    assert [reason.name for reason in planned["measured"].reasons] == ["tuned"]
    assert planned["all"].verdict == "maybe"
    assert {name for name, stage in planned.items() if stage.verdict == "unchanged"} == {
        "first", "folder", "plain", "inside", "left", "lonely"
    }  # fmt: skip


def test_the_command_prints_it_and_its_exit_code_asks_whether_dvc_lock_is_up_to_date(wide, capsys):
    def print_plan(*words: str, code: int = 0) -> str:
        assert main(["plan", *words]) == code
        return "".join(capsys.readouterr())

    assert "never ran" in print_plan(code=1)
    wide.run("dvc", "repro", "-q")
    assert print_plan() == "12 unchanged\n"
    wide.write("c.txt", "another")
    assert print_plan("first").startswith("1 unchanged")
    assert re.search(r"^lonely +run +unknown +dependency c.txt modified$", print_plan(code=1), flags=re.MULTILINE)
    assert "| lonely | run | unknown | dependency c.txt modified |" in print_plan("--md", code=1)
    listed = json.loads(print_plan("--json", code=1))
    assert {item["name"]: item["verdict"] for item in listed}["lonely"] == "run"
    assert "'nobody' not found" in print_plan("nobody", code=2)


def test_a_data_file_kept_by_dvc_and_a_frozen_stage_are_seen_as_dvc_sees_them(wide):
    wide.write("d.txt", "d1")
    wide.run("dvc", "add", "-q", "d.txt")
    wide.write("dvc.yaml", WIDE + "  kept: {cmd: cp d.txt kept.txt, deps: [d.txt], outs: [kept.txt]}\n"
               "  ice: {cmd: cp c.txt ice.txt, deps: [c.txt], outs: [ice.txt]}\n")  # fmt: skip
    reproduced(wide)
    wide.run("dvc", "freeze", "ice")
    wide.run("dvc", "unprotect", "d.txt")
    wide.write("d.txt", "d2")
    wide.write("c.txt", "c2")
    planned = {stage.name: stage.verdict for stage in plan_stages()}
    assert planned["d.txt.dvc"] == planned["kept"] == planned["lonely"] == "run"
    assert planned["ice"] == "unchanged"
    did = reproduced(wide)
    assert did["kept"] == did["lonely"] == "ran"
    assert did["ice"] == "unchanged"
    assert not list_affected(plan_stages())


def test_what_dvc_yaml_says_of_a_stage_is_checked(wide):
    assert {stage.resource for stage in plan_stages()} == {"cpu"}
    wide.write("dvc.yaml", WIDE.replace("cmd: cat c.txt", "meta: {resource: tpu}\n    cmd: cat c.txt"))
    with pytest.raises(UsageError, match=r"lonely: meta\.resource .*'tpu'.* cpu, gpu, network"):
        plan_stages()
    wide.write("dvc.yaml", WIDE.replace("cmd: cat c.txt", "meta: {timeout: -1}\n    cmd: cat c.txt"))
    with pytest.raises(UsageError, match=r"lonely: meta\.timeout .*-1"):
        plan_stages()
    wide.write("dvc.yaml", "stages: [")
    with pytest.raises(UsageError):
        plan_stages()


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("target", "near"), [("lonley", "lonely"), ("fisrt", "first")])
def test_a_target_that_is_none_gets_the_nearest(target, near):
    with pytest.raises(UsageError, match=rf"^{target}: .*\b{near}\?"):
        plan_stages([target])


def test_a_foreseeable_command_that_is_not_installed_leaves_its_output_unknown(wide):
    reproduced(wide)
    wide.write("dvc.yaml", WIDE.replace("cmd: cp params.yaml", "cmd: no-such-program params.yaml"))
    planned = {stage.name: stage for stage in plan_stages()}
    assert planned["settle"].verdict == "run"
    assert planned["measured"].verdict == planned["tuned"].verdict == "maybe"
    assert planned["first"].verdict == "unchanged"


@pytest.mark.parametrize(
    "command", ["cp params.yaml resolve.yaml", "true params.yaml resolved.yaml", "true resolved.yaml"]
)
def test_a_foreseeable_command_that_writes_elsewhere_or_nothing_changes_nothing(wide, command):
    reproduced(wide)
    wide.write("dvc.yaml", WIDE.replace("cmd: cp params.yaml resolved.yaml", f"cmd: {command}"))
    before = sorted(wide.root.iterdir())
    planned = {stage.name: stage for stage in plan_stages()}
    assert planned["settle"].verdict == "run"
    assert planned["measured"].verdict == planned["tuned"].verdict == "maybe"
    assert sorted(wide.root.iterdir()) == before


def test_a_date_as_a_parameter_is_shown_and_then_refused_since_dvc_cannot_record_it(wide, capsys):
    wide.write("days.yaml", "day: soon\n")
    text = "    params: [days.yaml: [day]]\n    outs: [parts/right]"
    wide.write("dvc.yaml", WIDE.replace("    outs: [parts/right]", text))
    reproduced(wide)
    wide.write("days.yaml", "day: 2026-01-31\n")
    assert main(["plan", "--json"]) == 2
    assert "right: " in capsys.readouterr().err
    wide.write("b.txt", "b2")  # what comes before is open, so nothing is looked up
    assert main(["plan", "--json"]) == 1
    reasons = {item["name"]: item["reasons"] for item in json.loads(capsys.readouterr().out)}
    assert ("day", "2026-01-31") in [(reason["name"], reason["new"]) for reason in reasons["right"]]


def test_metrics_and_pages_are_found(wide):
    reproduced(wide)
    assert read_metrics() == [{"file": "measured", "m": 28.5}]
    assert list_pages() == [wide.root / "page.html"]


def test_what_a_killed_dvc_left_half_written_is_mended(wide, capsys):
    reproduced(wide)
    good = wide.read("dvc.lock")
    assert repair() == []
    wide.write(".dvc/tmp/rwlock", '{"/a": {"wri')
    wide.write("dvc.lock", "schema: '2.0'\nstages:\n  first:\n    cmd: [")
    assert [line.split(":")[0] for line in repair()] == ["rwlock", "dvc.lock"]
    assert wide.read("dvc.lock") == good
    assert repair() == []
    assert not list_affected(plan_stages())
    # A kill at the very first writing, before there was a good one.
    (wide.root / ".dvc/tmp/dvc.lock.good").unlink()
    wide.write("dvc.lock", "<<<<<<< HEAD\n")
    assert repair() == []
    wide.write("dvc.lock", "")
    assert [line.split(":")[0] for line in repair()] == ["dvc.lock"]
    assert not (wide.root / "dvc.lock").exists()
    wide.write("dvc.lock", good)
    assert repair() == []
    wide.write("dvc.lock", "schema: '2.0'\nstages:\n  first:\n    cmd: [")
    capsys.readouterr()
    assert main(["run"]) == 0
    assert capsys.readouterr().err.startswith("dvc.lock: ")
    wide.write("dvc.lock", "stages: [")
    restore_order((), ())  # leaves it to the next repair
    assert wide.read("dvc.lock") == "stages: ["


def test_a_folder_without_dvc_is_an_environment_fault(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFault, match=tmp_path.name):
        plan_stages()


def test_inputs_that_are_not_there_are_named_before_a_run_is_promised(wide, capsys):
    wide.write("dvc.yaml", WIDE.replace("c.txt", "d/e.txt").replace("deps: [a.txt, b.txt]", "deps: [a.txt, f.txt]"))
    assert main(["plan"]) == main(["run"]) == 2
    shown = capsys.readouterr()
    assert "d/e.txt is not there" in shown.out
    for fact in ("2 input(s)", "lonely: d/e.txt", "folder: f.txt"):
        assert shown.err.count(fact) == 2
    assert main(["plan", "first"]) == 1  # a run of it lacks nothing
    wide.write("d/e.txt", "e")
    wide.write("f.txt", "f")
    assert main(["plan"]) == 1


def test_parameters_that_a_foreseeable_stage_refuses_end_the_plan_as_they_would_end_the_run(wide):
    reproduced(wide)
    refuse = "sh -c 'echo params.yaml:7 refused >&2; exit 2' resolved.yaml"
    wide.write("dvc.yaml", WIDE.replace("cmd: cp params.yaml resolved.yaml", f"cmd: {refuse}"))
    with pytest.raises(UsageError, match=r"^params\.yaml:7 refused$"):
        plan_stages()
