"""What every kind of task keeps: with its sample, data/sample/KIND, it passes these tests without a line of its own."""

import itertools
import json
import shutil
import subprocess
import sys
import typing
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.answer.question import list_answers
from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.core.fingerprint import Templates, fingerprint, list_starts
from pipeline.core.modules import parse_package
from pipeline.core.stage import KINDS, STAGES, bind_facets, load, load_facet, read_declaration
from pipeline.core.tables import IMAGE_TYPE, labels_of, read_arrow, read_parquet, write_parquet
from pipeline.core.versions import locked_versions
from pipeline.diff.comment import render_comment
from pipeline.diff.compare import compare_snapshots, compare_task
from pipeline.diff.document import Side
from pipeline.diff.snapshot import Rules, Snapshot, TaskSnapshot
from pipeline.evaluate.align import align, select_split
from pipeline.evaluate.kind import Measures, compute_metrics, select_rows
from pipeline.finetune.fit import prepare_training
from pipeline.finetune.learning import as_read
from pipeline.linear.saved import LINEAR_MANIFEST
from pipeline.models.attention import FLAT
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.folder import build_model, load_model
from pipeline.predict.forms.form import adapt_answers
from pipeline.predict.linear.predictor import open_predictor
from pipeline.predict.predictor import Predictor, find_kind, load_predictor
from pipeline.predict.questions import Questions
from pipeline.reading.decoding import Decoded
from pipeline.settings.shared.texts import PAIR
from tests.given.answering import serving_here
from tests.given.kinds import (
    BACK,
    FRONT,
    SAMPLES,
    TASK,
    Sample,
    export_sample,
    place_in_project,
    run_stages,
    write_report,
)

COLUMNS = {"pair": PAIR}  # of the examples, for a field of a request that is called otherwise
FEW_TOKENS = 16  # the server measures a text of as many as a model reads, and the sample's encoder reads 64 at most
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request, tmp_path_factory) -> Sample:
    return run_stages(tmp_path_factory.mktemp(request.param), request.param)


def wanted_facets() -> Iterator[tuple[str, type]]:
    """Yield each facet that a stage asks for, with its type."""
    for stage in STAGES:
        run = load(stage)
        hints = typing.get_type_hints(run)
        for name, facet in read_declaration(run).facets:
            yield facet.name, typing.get_args(hints[name])[-1] if facet.every else hints[name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_each_facet_that_a_stage_asks_for(kind):
    for name, wanted in dict(wanted_facets()).items():
        assert isinstance(load_facet(kind, name), wanted)


def test_the_stages_run_on_the_sample(sample):
    assert all(
        sample.paths[name].exists() for stage in (*FRONT, *BACK) for name in read_declaration(load(stage)).outputs
    )
    history = read_json(sample.paths["history"])
    assert history["params"]["kind"] == sample.kind
    assert history["stopped"] in ("finished", "early")
    assert read_json(sample.paths["validation"])


def test_the_library_datasets_opens_the_examples(sample, tmp_path):
    from datasets import ClassLabel, Image, List, Value, load_dataset  # seconds

    table, indices = read_parquet(sample.paths["examples"]), load_facet(sample.kind, "examples").indices
    files = {"data_files": str(sample.paths["examples"]), "cache_dir": str(tmp_path)}
    opened = load_dataset("parquet", split="train", **files)
    assert opened.column_names == table.column_names
    for field in table.schema:
        feature = opened.features[field.name]
        assert isinstance(feature, List) == pa.types.is_list(field.type)
        inner = feature.feature if isinstance(feature, List) else feature
        wanted = ClassLabel if field.name == indices else Image if field.type == IMAGE_TYPE else Value
        assert isinstance(inner, wanted)
        if field.name == indices:
            assert tuple(inner.names) == labels_of(table)
    raw = opened.with_format("arrow")[:]
    assert raw.schema.metadata[b"huggingface"] == table.schema.metadata[b"huggingface"]
    assert raw.to_pylist() == table.to_pylist()


def test_a_second_run_gives_the_same_bytes(sample, tmp_path):
    again = run_stages(tmp_path, sample.paths["raw"].name)
    for name, path in again.paths.items():
        if path.is_file() and path.parent == tmp_path:
            assert path.read_bytes() == sample.paths[name].read_bytes(), name
    weights = "model.safetensors"
    assert (again.paths["model"] / weights).read_bytes() == (sample.paths["model"] / weights).read_bytes()


def test_findings_of_changed_examples_are_those_of_a_run_that_keeps_nothing(sample, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.checks.kept.MEAN_ROWS", 3)
    table, count = read_parquet(sample.paths["examples"]), itertools.count()
    params = sample.params("validate").model_copy(update={"min_rows": 1})

    def validate(rows, *, keep):
        folder = tmp_path / ("kept" if keep else f"alone{next(count)}")
        (folder / (".dvc" if keep else "data")).mkdir(exist_ok=True, parents=True)
        write_parquet(folder / "examples.parquet", rows)
        paths = {"examples": folder / "examples.parquet", "intake": sample.paths["intake"]}
        facets = bind_facets(read_declaration(load("validate")), sample.kind)
        try:
            load("validate")(params, **facets, **paths, findings=folder / "findings.json")
        except DataError as error:
            return str(error)
        return (folder / "findings.json").read_text()

    validate(table, keep=True)
    assert f"{len(table)} of {len(table)} rows computed" in capsys.readouterr().out
    middle = len(table) // 2
    for rows in (table, table.slice(0, middle), pa.concat_tables([table.slice(3), table.slice(0, 3)]), table.slice(1)):
        assert validate(rows, keep=True) == validate(rows, keep=False)
    capsys.readouterr()
    validate(table.slice(1), keep=True)
    assert f"0 of {len(table) - 1} rows computed" in capsys.readouterr().out


@pytest.mark.parametrize("attention", ["eager", FLAT])
def test_a_batch_gives_what_each_row_gives_alone(sample, attention):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    if attention == FLAT and "input_ids" not in table.column_names:
        pytest.skip("nothing is padded")
    model = load_model(sample.paths["model"], learning.head(table)).eval()
    rows, device = learning.rows(table, "train"), choose_device("fp32")
    count = sum(part == "train" for part in table["split"].to_pylist())
    with with_attention(model, attention), as_read(model, learning), torch.inference_mode():
        whole, *alone = (
            learning.objective.outputs(model, rows, torch.tensor(part).numpy(), device)
            for part in (range(count), *([row] for row in range(count)))
        )
    torch.testing.assert_close(whole, torch.cat(alone), **TOLERANCE)


def test_a_saved_model_is_a_stock_one(sample):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    head = learning.head(table)
    stock = head.model.from_pretrained(sample.paths["model"], local_files_only=True)
    ours = load_model(sample.paths["model"], head)
    assert type(stock) is type(ours)
    for (name, weight), (other, same) in zip(stock.state_dict().items(), ours.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(weight, same)


def test_a_training_that_is_killed_ends_with_the_same_bytes(sample):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    params = sample.params("finetune")
    train, validation = learning.rows(table, "train"), learning.rows(table, "validation")

    def learn(*, kill_after: int | None = None) -> dict[str, torch.Tensor]:
        state = None
        while True:
            model = build_model(sample.paths["encoder"], learning.head(table), dropout=params.dropout, seed=params.seed)
            with prepare_training(model, train, validation, params, learning) as (training, _):
                if state is not None:
                    training.restore(state)
                while not training.finished and (state is not None or training.done != kill_after):
                    training.advance()
                if training.finished:
                    training.result()
                    break
                state = training.state()
        return model.state_dict()

    whole, resumed = learn(), learn(kill_after=2)
    assert all(torch.equal(whole[name], weight) for name, weight in resumed.items())


def test_an_edit_of_a_kind_changes_the_fingerprints_of_no_other(tmp_path):
    package = tmp_path / "pipeline"
    shutil.copytree("pipeline", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(package / "kinds/text_classification", package / "kinds/other")
    for path in (package / "kinds/other").glob("*.py"):
        path.write_text(path.read_text().replace("kinds.text_classification", "kinds.other"))
    versions = locked_versions(Path("requirements.lock").read_text(encoding="utf-8"))

    def identify() -> dict[tuple[str, str], str]:
        modules, templates = parse_package(package), Templates()
        return {
            (stage, kind): fingerprint(modules, list_starts(modules, stage, kind), versions, templates)
            for stage in ("ingest", "finetune", "study")
            for kind in ("text-classification", "other")
        }

    before = identify()
    learning = package / "kinds/other/learning.py"
    learning.write_text(learning.read_text().replace('"first token"', '"every token"'))
    after = identify()
    assert {key for key, value in before.items() if after[key] != value} == {("finetune", "other"), ("study", "other")}


# ------------------------------------------------------------------------------------------------ measures
def measures_of(sample: Sample) -> Measures:
    measures: Measures = load_facet(sample.kind, "measures")
    return measures


def predict_trivially(sample: Sample) -> Any:
    """Return the predictions of the trivial baseline on the test split."""
    examples = read_parquet(sample.paths["examples"])
    test, measures = select_split(examples, "test"), measures_of(sample)
    baselines = align(read_parquet(sample.paths["baselines"]), test["id"].to_pylist(), like=examples, what="baselines")
    column = baselines[measures.baselines.trivial.name]
    return measures.tabulate(test, column, read_json(sample.paths["calibration"]))


def test_the_evaluation_has_the_metrics_of_the_kind(sample):
    measures, document = measures_of(sample), read_json(sample.paths["evaluation"])
    numbers = read_json(sample.paths["metrics"])
    predictions = read_parquet(sample.paths["predictions"])
    values = compute_metrics(measures, measures.score_rows(predictions, predictions, sample.params("evaluate")))
    for metric, value in zip(measures.metrics, values.tolist(), strict=True):
        for model in (document["model"], *document["baselines"].values()):
            assert set(model[metric.name]) == {"value", "low", "high", "reason"}
        assert numbers[metric.name] == (None if np.isnan(value) else pytest.approx(value, rel=1e-5))
    answered = read_parquet(sample.paths["baselines"]).column_names
    assert list(document["baselines"]) == [baseline.name for baseline in measures.baselines.listed(answered)]


def test_predictions_are_those_of_the_saved_model(sample):
    measures = measures_of(sample)
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    answers = measures.predict(sample.paths["model"], test, read_arrow(sample.paths["tokens"]))
    again = measures.tabulate(test, answers, read_json(sample.paths["calibration"]))
    assert again.to_pydict() == read_parquet(sample.paths["predictions"]).to_pydict()
    assert again["id"].to_pylist() == test["id"].to_pylist()
    assert len(measures.truths(again)) == len(measures.answers(again)) == test.num_rows
    assert measures.truths(again) == measures.truths(test)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_weights_are_repetitions(sample, data):
    measures = measures_of(sample)
    truths = read_parquet(sample.paths["predictions"])
    for answers in (truths, predict_trivially(sample)):
        scored = measures.score_rows(truths, answers, sample.params("evaluate"))
        counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(truths), max_size=len(truths))))
        counts[0] += 1
        weighted = measures.compute(scored, counts.astype(np.float64))
        repeated = compute_metrics(measures, select_rows(scored, np.repeat(np.arange(len(truths)), counts)))
        known = ~np.isnan(weighted) & ~np.isnan(repeated)
        assert weighted[known] == pytest.approx(repeated[known])


def test_the_share_of_right_rows_is_the_metric_that_says_so(sample):
    measures, truths = measures_of(sample), read_parquet(sample.paths["predictions"])
    if measures.right is None:
        pytest.skip("nothing is right or wrong")
    rows = measures.right.rows(measures.score_rows(truths, truths, sample.params("evaluate")))
    place = [metric.name for metric in measures.metrics].index(measures.right.metric)
    value = compute_metrics(measures, measures.score_rows(truths, truths, sample.params("evaluate")))[place]
    assert value == pytest.approx(rows.mean())


# ------------------------------------------------------------------------------------------------ diff, report
def test_two_revisions_of_a_task_are_compared(sample):
    measures, params = measures_of(sample), sample.params("evaluate")
    gates = load_facet(sample.kind, "settings").sections["gates"].model_validate(sample.resolved["gates"][TASK])
    rules = Rules(measures, params, {metric.name: getattr(gates, metric.name) for metric in measures.metrics})
    head = TaskSnapshot(
        listed=True,
        metrics=read_json(sample.paths["metrics"]),
        predictions=read_parquet(sample.paths["predictions"]),
        examples=read_parquet(sample.paths["examples"]),
        history=read_json(sample.paths["history"]),
        findings=read_json(sample.paths["findings"]),
    )
    same = compare_task(rules, head, head)
    assert (same.outcome, same.paired, same.notes) == ("passed", True, ())
    assert {metric.difference for metric in same.metrics} == {0}
    base = head._replace(predictions=predict_trivially(sample))
    other = compare_task(rules, base, head)
    assert {metric.metric for metric in other.metrics} == {metric.metric for metric in same.metrics}
    assert (other.flips is None) == (measures.right is None)
    snapshots = [
        Snapshot(Side(name=name, commit=None), {TASK: rules}, {TASK: side}, {}, {}, {}, {})
        for name, side in (("base", base), ("head", head))
    ]
    comment = render_comment(compare_snapshots(*snapshots))
    assert all(metric.title in comment for metric in other.metrics)


def test_the_report_shows_the_task(sample, tmp_path):
    outputs, page = write_report(sample, tmp_path), load_facet(sample.kind, "page")
    assert (page.metrics, page.baselines) == (measures_of(sample).metrics, measures_of(sample).baselines)
    html = outputs["page"].read_text(encoding="utf-8")
    assert all(f'id="{section}-{TASK}"' in html for section in page.sections)
    headline = page.headline.title
    for text in (html, outputs["summary"].read_text("utf-8"), (outputs["cards"] / f"{TASK}.md").read_text("utf-8")):
        assert headline.lower() in text.lower()


# ------------------------------------------------------------------------------------------------ production
class Asked(NamedTuple):
    """The test rows of a sample as questions in a request, and the numbers that `evaluate` computes of them, (N,)."""

    rows: list[dict[str, Any]]
    numbers: list[float]


def flatten(value: Any) -> list[float]:
    """Return the numbers in a value of lists, documents and arrays, in order."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list | tuple | np.ndarray):
        return [number for part in value for number in flatten(part)]
    return [] if value is None or isinstance(value, str) else [float(value)]


def select_questions(examples: pa.Table, questions: Questions) -> pa.Table:
    """Return the columns of the examples that are questions, named as the fields of a request."""
    return examples.select([COLUMNS.get(field, field) for field in questions.fields]).rename_columns(
        [*questions.fields]
    )


def ask_test(sample: Sample) -> Asked:
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    kind = adapt_answers(load_facet(sample.kind, "answers"), read_json(sample.paths["model"] / "config.json"))
    answers = measures_of(sample).predict(sample.paths["model"], test, read_arrow(sample.paths["tokens"]))
    rows = select_questions(test, kind.questions).to_pylist()
    if "bytes" in kind.questions.fields.values():
        rows = [{name: image["bytes"] for name, image in row.items()} for row in rows]
    return Asked(rows, flatten(answers.to_pylist()))


def write_asked(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Write questions to a file; what holds bytes is no text."""
    if any(isinstance(cell, bytes) for cell in rows[0].values()):
        pq.write_table(pa.Table.from_pylist(rows), folder / "new.parquet")
        return folder / "new.parquet"
    (folder / "new.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder / "new.jsonl"


def spell_bytes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return questions as a request has them."""
    return [
        {name: b64encode(cell).decode() if isinstance(cell, bytes) else cell for name, cell in row.items()}
        for row in rows
    ]


def compute_numbers(predictor: Predictor, rows: list[dict[str, Any]]) -> list[float]:
    """Return what a predictor computes of questions, as the answers of `evaluate` hold it."""
    kind = predictor.answers
    prepared = predictor.prepare([predictor.fit(kind.questions.read([*row.values()])) for row in rows])
    outputs = kind.join(kind.activate(predictor.compute_logits(prepared.rows)), prepared)
    if kind.reads != "every token":
        return flatten(outputs)
    if isinstance(outputs[0], Decoded):
        return flatten([(own.best.start, own.doubt, own.span_probability, own.null_probability) for own in outputs])
    return [n for own in outputs for n in (*own.argmax(axis=1).tolist(), *own.max(axis=1).tolist())]


def test_no_kind_needs_torch_or_a_parser_of_yaml_to_answer_and_no_kind_of_texts_a_reader_of_images():
    code = (
        "import sys; from pipeline.core.stage import list_kinds, load_facet;"
        "kinds = sorted(list_kinds('answers'), key=lambda kind: 'image' in kind);"
        "print(*(word for kind in kinds if load_facet(kind, 'answers')"
        " for word in (kind, *{name.partition('.')[0] for name in sys.modules}, 'end')))"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    for words in map(str.split, output.split(" end")[:-1]):
        needless = set() if "image" in words[0] else {"PIL"}
        assert not {"torch", "transformers", "sklearn", "scipy", "pandas", "ruamel", *needless} & {*words}


def test_a_model_answers_as_it_was_measured(sample, tmp_path, monkeypatch):
    asked, folder = ask_test(sample), place_in_project(sample, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find_kind(folder) == sample.kind
    owning = {kind for kind in KINDS if load_facet(kind, "answers").owns(read_json(folder / "config.json"))}
    assert sample.kind in owning
    blank = dict.fromkeys(asked.rows[0])
    file = write_asked(tmp_path, [*asked.rows, blank])
    columns = [word for name in blank for word in ("--text", name)]
    assert main(["predict", TASK, file.name, "--out", "out.jsonl", "--all", *columns]) == 0
    assert json.loads((tmp_path / "out.jsonl.rejected.jsonl").read_text())["row"] == len(asked.rows) + 1
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in answers] == read_parquet(sample.paths["predictions"])["id"].to_pylist()
    assert compute_numbers(load_predictor(folder), asked.rows) == pytest.approx(asked.numbers, rel=1e-5, abs=1e-5)


def test_a_bundle_answers_as_its_model(sample, tmp_path):
    asked = ask_test(sample)
    predictor = load_predictor(export_sample(sample, tmp_path), backend="fp32", threads=1)
    assert compute_numbers(predictor, asked.rows) == pytest.approx(asked.numbers, rel=1e-4, abs=1e-4)
    assert (read_json(tmp_path / "exported.json")["parity"]["fp32"]["flipped"], predictor.kind) == (0, sample.kind)
    rows, field = spell_bytes(asked.rows), next(iter(asked.rows[0]))
    with serving_here(predictor._replace(max_length=FEW_TOKENS)) as ask:
        content = ask({"rows": rows}).json()
        refused = [ask({"rows": [rows[0], row]}) for row in ({}, {field: 1}, {**rows[0], "other": 1})]
    list_answers([predictor.answers]).model_validate_json(json.dumps(content), strict=True)
    assert len(content["answers"]) == len(asked.rows)
    places = [response.json()["detail"][0]["loc"] for response in refused]
    assert {response.status_code for response in refused} == {422}
    assert places == [["body", "rows", 1, field], ["body", "rows", 1, field], ["body", "rows", 1, "other"]]


def keeps_linear(sample: Sample) -> bool:
    """Return whether the sample has a linear baseline that answers: its kind keeps one."""
    return bool(load_facet(sample.kind, "page").keeps_cheap)


def test_the_page_says_whether_a_baseline_is_kept(sample):
    assert keeps_linear(sample) == (read_json(sample.paths["linear"] / LINEAR_MANIFEST)["kind"] == sample.kind)


def test_a_linear_baseline_answers_as_it_was_measured(sample, tmp_path, monkeypatch, capsys):
    place_in_project(sample, tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["predict", TASK, "new.jsonl", "--out", "out.jsonl", "--backend", "linear"]
    if not keeps_linear(sample):
        (tmp_path / "new.jsonl").write_text("{}\n")
        assert main(words) == 2
        assert f"data/linear/{TASK}: " in capsys.readouterr().err
        return
    examples = read_parquet(sample.paths["examples"])
    test = select_split(examples, "test")
    table = align(read_parquet(sample.paths["baselines"]), test["id"].to_pylist(), like=examples, what="baselines")
    measured = table[measures_of(sample).baselines.cheap.name].to_pylist()
    predictor = open_predictor(tmp_path / "data/linear" / TASK)
    kind = predictor.answers
    rows = select_questions(test, kind.questions).to_pylist()
    prepared = predictor.prepare([kind.questions.read([*row.values()]) for row in rows])
    outputs = kind.join(predictor.compute_outputs(prepared.rows), prepared)
    values = kind.tabulate(outputs, prepared.questions, predictor.labels, predictor.decision)
    if kind.reads == "every token":
        names = predictor.labels
        assert values[1] == [[names[tag] for tag in own["tags"]] for own in measured]
        assert all(0 < value <= 1 for own in outputs for value in own.max(axis=1))
    else:
        numbers = [own["probabilities"] if isinstance(own, dict) else own for own in measured]
        assert flatten(outputs) == flatten(numbers)  # to the last bit
    if sample.kind == "multi-label-classification":
        assert values[0] == [[predictor.labels[label] for label in own["labels"]] for own in measured]
    blank = dict.fromkeys(rows[0])
    (tmp_path / "new.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, blank]))
    assert main([*words, *(word for name in blank for word in ("--text", name))]) == 0
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in answers] == test["id"].to_pylist()
    assert json.loads((tmp_path / "out.jsonl.rejected.jsonl").read_text())["row"] == len(rows) + 1
    with serving_here(predictor) as ask:
        content = ask({"rows": rows}).json()
    list_answers([kind]).model_validate_json(json.dumps(content), strict=True)
    assert content["answers"] == kind.respond(outputs, prepared.questions, predictor.labels, predictor.decision, False)
