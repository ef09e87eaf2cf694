"""dvc.yaml, params.yaml, the profiles, the modules and their signatures say the same."""

import ast
import inspect
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from ruamel.yaml import YAML

from pipeline.core.stage import STAGES, WHOLE, Gate, In, load, load_facets, read_declaration
from pipeline.settings.parse import parse_params
from pipeline.settings.pretrain import CorpusParams, PretrainParams, TextParams
from pipeline.settings.search.sections import CANDIDATES, SEARCH_STAGES, Search
from pipeline.settings.study import Arm, Rival, Study
from pipeline.settings.task import PER_TASK, BaselineParams
from tests.given.settings import read, resolve_params, with_profiles

PROFILES = ("pretraining", "study", "production", "search", "halving")
TEXT = with_profiles("params.yaml", *PROFILES)
ALONE, WITH_ENCODERS, WITH_STUDY, WITH_PRODUCTION, WITH_SEARCH, WITH_ALL = (
    YAML(typ="safe", pure=True).load(with_profiles("dvc.yaml", *PROFILES[:count]))["stages"]
    for count in range(len(PROFILES) + 1)
)
# Every stage, by its name; the report and the trial of each, since the profiles replace them.
ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, entry) for name, entry in WITH_ALL.items()}
ENTRIES |= {"report alone": ("report", ALONE["report"]), "report of encoders": ("report", WITH_ENCODERS["report"])}
ENTRIES |= {"trial alone": ("trial", WITH_SEARCH["trial"])}
HALVES = {"halve", "rung"}
RESOLVED = ("code", "params")
BESIDES = ("corpus", "pretrain", "study", "export", "search", "report")  # sections that are not a task's


def entry(key: str) -> dict[str, Any]:
    found: dict[str, Any] = ENTRIES[key][1]
    return found.get("do", found)


def words(key: str) -> list[str]:
    return str(entry(key)["cmd"]).split()


def options(key: str) -> dict[str, str]:
    """Return `{option: path}` in the order of the command."""
    found = words(key)
    return {
        word[2:]: found[place + 1] for place, word in enumerate(found) if word.startswith("--") and word != "--params"
    }


def paths(key: str, *kinds: str) -> list[str]:
    listed = [item for kind in kinds for item in entry(key).get(kind, [])]
    return [item if isinstance(item, str) else next(iter(item)) for item in listed]


def test_every_stage_has_an_entry_and_a_module():
    assert set(WITH_ALL) == set(STAGES)
    assert set(WITH_ALL) - set(WITH_SEARCH) == HALVES
    assert set(WITH_SEARCH) - set(WITH_PRODUCTION) == {*SEARCH_STAGES} - HALVES
    assert set(WITH_PRODUCTION) - set(WITH_STUDY) == {"export"}
    assert set(WITH_STUDY) - set(WITH_ENCODERS) == {"rival", "start", "study", "transfer"}
    assert set(WITH_ENCODERS) - set(ALONE) == {"corpus", "pretrain"}
    assert {path.stem for path in Path("pipeline/stages").glob("*.py")} == {*STAGES, "__init__"}


def test_a_profile_changes_no_stage_but_the_report_and_the_trial():
    for before, after, changed in (
        (ALONE, WITH_ENCODERS, {"report"}),
        (WITH_ENCODERS, WITH_STUDY, {"report"}),
        (WITH_STUDY, WITH_PRODUCTION, set()),
        (WITH_PRODUCTION, WITH_SEARCH, set()),
        (WITH_SEARCH, WITH_ALL, {"trial"}),
    ):
        assert {name for name in before if before[name] != after[name]} == changed


@pytest.mark.parametrize("key", ENTRIES)
def test_the_command_names_what_the_signature_declares_in_order(key):
    stage = ENTRIES[key][0]
    declared = read_declaration(load(stage))
    given = list(options(key))
    names = [*declared.inputs, *declared.outputs]
    assert given == [name for name in names if name in given or name not in declared.optional]
    assert words(key)[:4] == ["python", "-m", "pipeline", stage]
    assert ("--params" in words(key)) == (declared.params is not None) == (stage not in RESOLVED)


def test_an_optional_path_is_given_by_a_profile_alone():
    assert read_declaration(load("report")).optional == ("transfer", "pretraining")
    assert set(options("report of encoders")) - set(options("report alone")) == {"pretraining"}
    assert set(options("report")) - set(options("report of encoders")) == {"transfer"}
    assert read_declaration(load("trial")).optional == ("checkpoint",)
    assert set(options("trial")) - set(options("trial alone")) == {"checkpoint"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_each_input_and_no_gate(stage):
    run = load(stage)
    kinds = typing.get_type_hints(run, include_extras=True)
    body = ast.parse(inspect.getsource(run)).body[0].body
    names = {node.id for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    for name in read_declaration(run).inputs:
        assert kinds[name] in (In, In | None, Gate)
        assert (name in names) == (kinds[name] != Gate), name


def test_resolving_depends_on_its_code():
    assert entry("params")["params"] == [{"data/code.json": ["params"]}]


@pytest.mark.parametrize("key", ENTRIES)
def test_deps_are_the_inputs_and_outs_the_outputs(key):
    declared, given = read_declaration(load(ENTRIES[key][0])), options(key)
    outs = paths(key, "outs", "metrics", "plots")
    assert sorted(outs) == sorted(given[name] for name in declared.outputs if name in given)
    inputs = [name for name in declared.inputs if name in given]
    deps = paths(key, "deps")
    for name in inputs:
        assert any(dep == given[name] or dep.startswith(f"{given[name]}/") for dep in deps), name
    for dep in deps:
        assert any(dep == given[name] or dep.startswith(f"{given[name]}/") for name in inputs), dep


@pytest.mark.parametrize("key", [key for key in ENTRIES if key not in RESOLVED])
def test_a_stage_depends_on_its_own_section_and_its_own_code(key):
    stage, whole = ENTRIES[key]
    per_name = bool({"foreach", "matrix"} & set(whole))
    name = "item" if stage == "track" else "key"  # the others are for each key of a map
    section = f"{stage}.${{{name}}}" if per_name else stage
    declared = read_declaration(load(stage))
    of_profiles = {"study": ("study", "rival"), "search": ("trial", "rung", "confirm")}
    kind = next((f"{section}.kind" for section, stages in of_profiles.items() if stage in stages), "item.kind")
    code = f"{stage}.${{{kind}}}" if any(not facet.every for _, facet in declared.facets) else stage
    assert entry(key)["params"] == [{"data/params.json": [section]}, {"data/code.json": [code]}]
    assert per_name == (stage not in WHOLE)


def test_only_names_are_templated_into_commands():
    for key in ENTRIES:
        assert set(re.findall(r"\$\{([^}]*)\}", entry(key)["cmd"])) <= {
            "key",
            "item",
            "item.base",
            "item.task",
            "item.arm",
            "item.encoder",
            "item.round.round",
            "item.round.after",
            "item.rung.rung",
            "item.rung.after",
            "item.slot",
            "item.candidate",
            "item.seed",
            "search.rounds[-1].round",
        }


def test_each_task_is_evaluated_before_the_next_begins_and_inspected_last():
    with Repo() as repo:
        steps = plan_repro(get_active_graph(repo.index.graph), collect_stages(repo, ["dvc.yaml"]))
    order = [stage.addressing for stage in steps]
    tasks = list(parse_params(TEXT)[0]["tasks"])
    last = [order.index(f"evaluate@{task}") for task in tasks]
    assert last == sorted(last)
    for at, task in zip(last, tasks[1:], strict=False):
        assert order.index(f"ingest@{task}") > at
    assert order[-len(tasks) - 1 :] == [*(f"inspect@{task}" for task in tasks), "report"]


def test_every_section_is_a_stages_and_every_key_is_commented():
    plain, lines = parse_params(TEXT)
    assert list(parse_params(read("params.yaml"))[0]) == [
        "fetch",
        *(stage for stage in PER_TASK if stage != "gates"),
        "report",
        "track",
        "kinds",
        "sources",
        "tasks",
    ]
    assert set(plain) == {"fetch", *PER_TASK, *BESIDES, "track", "kinds", "sources", "encoders", "tasks"} - {"gates"}
    source = TEXT.splitlines()
    for path, number in lines.items():
        stage, _, key = path.partition(".")
        if stage == "kinds":
            stage, _, key = key.partition(".")[2].partition(".")
        if key and "." not in key and stage in (*PER_TASK, *BESIDES, "fetch"):
            assert " # " in source[number - 1], f"{path} has no comment"


def test_every_numeric_key_has_its_range_in_the_comment():
    plain, lines = parse_params(TEXT)
    source = TEXT.splitlines()
    sections = {stage: plain[stage] for stage in (*PER_TASK, *BESIDES, "fetch") if stage in plain}
    for kind, own in plain["kinds"].items():
        sections |= {f"kinds.{kind}.{stage}": section for stage, section in own.items()}
    for stage, section in sections.items():
        for key, value in section.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                comment = source[lines[f"{stage}.{key}"] - 1].partition(" # ")[2]
                assert re.search(r"\d to \S|[\[(]\d\S*, \S+[\])]", comment), f"{stage}.{key}: {comment!r}"


INSPECT_TAKES_OVER = {*BaselineParams.model_fields, "near_similarity", "near_shingle"}


def test_a_section_holds_the_keys_its_class_reads():
    plain, _ = parse_params(TEXT)
    given_elsewhere = {"task", "kind", "file", "reference", "corrected", "pairs"}
    everything = dict.fromkeys(PER_TASK, frozenset[str]())
    for kind, settings in load_facets("settings").items():
        for stage in PER_TASK:
            elsewhere = given_elsewhere | (INSPECT_TAKES_OVER if stage == "inspect" else set())
            wanted = set(settings.sections[stage].model_fields) - elsewhere
            common, own = set(plain.get(stage, ())), set(plain["kinds"][kind].get(stage, ()))
            assert wanted <= common | own, stage
            assert own <= wanted, stage
            everything[stage] |= wanted
    assert all(set(plain.get(stage, ())) <= keys for stage, keys in everything.items())
    assert set(plain["pretrain"]) == set(PretrainParams.model_fields) - {"encoder", "base"}
    texts = (set(CorpusParams.model_fields) - {"protected"}) | (set(TextParams.model_fields) - {"file"})
    assert set(plain["corpus"]) == texts
    assert resolve_params(TEXT, {})


def test_the_study_holds_the_keys_its_classes_read():
    study = parse_params(TEXT)[0]["study"]
    assert set(study) == set(Study.model_fields)
    for group, model in (("arms", Arm), ("rivals", Rival)):
        assert all(set(one) == set(model.model_fields) for one in study[group].values())


def test_only_what_is_a_name_is_an_axis_of_the_matrix():
    for stage in ("rival", "study"):
        assert list(WITH_STUDY[stage]["matrix"]) == ["task", "arm", "labels", "seed"]


def test_a_search_trains_its_candidates_again_as_its_stages_know_them():
    assert WITH_ALL["confirm"]["matrix"]["candidate"] == [*CANDIDATES]
    assert set(parse_params(TEXT)[0]["search"]) == set(Search.model_fields)
