# Modules evidence, breakdown and task are tested here, as steps of one comparison; test_command.py has whole projects.
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.core.tables import describe
from pipeline.diff.compare import compare_snapshots, compare_task
from pipeline.diff.document import MOST_ROWS, MOST_STAGES, MOST_TASKS, Change, Side
from pipeline.diff.snapshot import Rules, Snapshot, TaskSnapshot
from pipeline.evaluate.kind import compute_metrics
from pipeline.evaluate.metrics import Floats, score_predictions
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.kinds.text_classification.settings import TextEvaluateParams
from pipeline.settings.task import MetricGate
from tests.given.revisions import LABELS, actual_classes, examples, flipped, model, name_classes

PARAMS = TextEvaluateParams(
    task="reviews", confidence=0.9, resamples=200, bins=10, length_edges=(3,), slices=("kind",), min_slice_rows=20,
    worst=5, points=0, queries=0, neighbours=1, seed=0,
)  # fmt: skip
GATES: dict[str, MetricGate | None] = {"accuracy": MetricGate(largest_drop=0.01, level=0.05, floor=None)}
RULES = Rules(MEASURES, PARAMS, GATES)
TABLE = describe(examples(200), task="reviews", labels=LABELS)
BASE = model(TABLE, LABELS)


def side(probabilities: Floats = BASE, table: pa.Table = TABLE, **more) -> TaskSnapshot:
    """Return what a revision holds whose model gives these probabilities of the test rows."""
    test, actual = table.filter(pc.equal(table["split"], "test")), actual_classes(table)
    predictions = pa.table(
        {
            "id": test["id"],
            "label": test["label"],
            "predicted": probabilities.argmax(axis=1),
            "probabilities": list(probabilities),
        }
    )
    values = compute_metrics(MEASURES, score_predictions(actual, probabilities, bins=10))
    return TaskSnapshot(
        **{
            "listed": True,
            "made_from": "examples",
            "metrics": dict(zip((metric.name for metric in MEASURES.metrics), values.tolist(), strict=True)),
            "predictions": describe(predictions, task="reviews", labels=LABELS),
            "examples": table,
        }
        | more
    )


def older(snapshot: TaskSnapshot, **more) -> TaskSnapshot:
    return snapshot._replace(
        predictions=name_classes(snapshot.predictions), examples=name_classes(snapshot.examples), **more
    )


def compare(base: TaskSnapshot, head: TaskSnapshot, *, gated: bool = True):
    return compare_task(RULES, base, head, gated=gated)


def test_a_task_that_stays_alike_passes_without_a_note():
    task = compare(side(), side())
    assert (task.state, task.outcome, task.paired, task.notes) == ("kept", "passed", True, ())
    assert task.flips is not None
    assert (task.flips.fixed, task.flips.broken, task.rows) == (0, 0, ())
    assert {metric.difference for metric in task.metrics} == {0}
    assert {group.kind for group in task.groups} == {"class", "length", "kind"}
    assert all(group.fixed == group.broken == 0 for group in task.groups)
    assert task.curves[0] == task.curves[1]
    assert sum(row.count for row in task.curves[0].calibration) == 200


def test_flips_are_counted_and_found_again_in_their_file():
    task = compare(side(), side(flipped(BASE, TABLE, LABELS, broken=9, fixed=4)))
    assert task.flips is not None
    assert (task.flips.fixed, task.flips.broken) == (4, 9)
    accuracy = task.metrics[0]
    assert accuracy.difference == pytest.approx((4 - 9) / 200)
    lines = dict(zip(TABLE["id"].to_pylist(), TABLE["row"].to_pylist(), strict=True))
    for example in (*task.flips.fixed_examples, *task.flips.broken_examples):
        assert example.line == lines[example.id]
        assert (example.label == example.head) != (example.label == example.base)
    several = TABLE.append_column("file", pa.array(["a|\u202eb.csv"] * TABLE.num_rows))
    flips = compare(
        side(examples=several), side(flipped(BASE, TABLE, LABELS, broken=9, fixed=4), examples=several)
    ).flips
    assert flips is not None
    assert {example.line for example in flips.broken_examples} <= {f"a|⟨U+202E⟩b.csv:{line}" for line in lines.values()}
    kinds = [group for group in task.groups if group.kind == "kind"]
    assert (sum(group.fixed for group in kinds), sum(group.broken for group in kinds)) == (4, 9)
    assert sum(group.rows for group in kinds) == 200


@pytest.mark.parametrize("number", [3, 250])
def test_slices_by_many_columns_fit_the_document(number):
    columns = [f"c{at}" for at in range(number)]
    table, rows = TABLE, pa.array([f"v{row % 90}" for row in range(TABLE.num_rows)])
    for name in columns:
        table = table.append_column(name, rows)
    params = PARAMS.model_copy(update={"slices": tuple(columns), "min_slice_rows": 1})
    task = compare_task(RULES._replace(params=params), side(examples=table), side(examples=table))
    assert len(task.groups) <= MOST_ROWS
    assert {group.kind for group in task.groups} == ({"class", "length", *columns} if number < MOST_ROWS else set())


# ------------------------------------------------------------------------------------------------ older versions
def test_a_base_of_an_older_version_is_judged_by_its_committed_metrics_and_the_notes_say_so():
    """Its tables name the classes; the checksums of the examples are equal here, so the metrics are comparable."""
    task = compare(older(side()), side())
    assert (task.state, task.outcome, task.paired, task.test, task.flips) == ("kept", "passed", False, None, None)
    assert task.metrics[0].difference == 0
    assert {metric.p_value for metric in task.metrics} == {None}
    notes = [note for note in task.notes if "base" in note and "`label` holds string" in note]
    assert ["predictions" in note for note in notes] == [True, False]
    assert ["examples" in note for note in notes] == [False, True]
    assert any("Not paired" in note and "committed metrics" in note for note in task.notes)
    assert task.rows == task.groups == ()
    assert task.curves[0].calibration == ()
    assert task.curves[1].calibration


def test_an_unpaired_drop_of_an_older_base_fails():
    task = compare(older(side()), side(flipped(BASE, TABLE, LABELS, broken=9, fixed=0)))
    assert task.outcome == "failed"
    assert "4.5 points" in task.gates[0].reason


def test_an_older_base_with_other_examples_is_not_judged():
    task = compare(older(side(), made_from="others"), side())
    assert (task.outcome, task.metrics[0].difference) == ("unjudged", None)
    assert "test examples may differ" in task.gates[0].reason


def test_a_head_of_an_older_version_is_no_crash_either():
    task = compare(side(), older(side()))
    assert (task.outcome, task.paired) == ("passed", False)
    assert sum("head" in note and "`label` holds string" in note for note in task.notes) == 2


def test_examples_of_an_older_version_beside_usable_predictions_still_make_slices():
    stale = side()._replace(examples=name_classes(TABLE))
    task = compare(stale, stale)
    assert task.paired
    assert {group.kind for group in task.groups} == {"class", "length", "kind"}
    assert sum("no usable examples" in note for note in task.notes) == 2


# ------------------------------------------------------------------------------------------------ what is missing
@pytest.mark.parametrize(
    ("base", "head", "state", "outcome", "facts"),
    [
        (TaskSnapshot(), side(), "new", "unjudged", ("new",)),
        (side(), TaskSnapshot(), "removed", "unjudged", ("no such task",)),
        (side(), side(examples=None), "kept", "passed", ()),
        (side(examples=None), side(examples=None), "kept", "passed", ("No slices", "examples are missing")),
        (side(), side(examples=describe(examples(200, text="o {}"), task="t", labels=LABELS)), "kept", "passed",
         ("No slices", "not those of the predictions")),
        (side(), side()._replace(examples=TABLE.drop_columns("kind")), "kept", "passed", ("No slices", "'kind'")),
        (side(), side()._replace(predictions=None), "kept", "passed", ("Not paired",)),
        (side(metrics=None, predictions=None, faults=("no metrics.json",)), side(), "kept", "unjudged",
         ("The base has no metrics.json.",)),
        (side(), side(metrics={"accuracy": True}), "kept", "failed", ("not a number", "0.8")),
        (side(), side(metrics={"accuracy": float("inf")}), "kept", "failed", ("not a number", "0.8")),
        (side(), side(metrics={"accuracy": 10**400}), "kept", "failed", ("not a number", "0.8")),
        (side(), side(recorded=False), "kept", "failed", ("dvc.lock",)),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_noted(base, head, state, outcome, facts):
    task = compare(base, head, gated=head.listed)
    assert (task.state, task.outcome, task.gates != ()) == (state, outcome, head.listed)
    assert all(any(fact in note for note in task.notes) for fact in facts), task.notes


def test_a_test_set_of_which_too_little_is_left_is_not_judged():
    other = pa.concat_tables([examples(150, text="o {}"), examples(200).slice(0, 60)])
    other = describe(other, task="reviews", labels=LABELS)
    task = compare(side(), side(model(other, LABELS), other))
    assert (task.outcome, task.paired) == ("unjudged", False)
    assert task.test is not None
    assert (task.test.base, task.test.head, task.test.common) == (200, 210, 60)
    assert "200 test examples" in task.gates[0].reason
    assert "60 are left" in task.gates[0].reason
    assert any("200 rows" in note and "210" in note and "60 in both" in note for note in task.notes)


# ------------------------------------------------------------------------------------------------ whole revisions
def snapshot(*tasks: str, others: tuple[str, ...] = (), **more) -> Snapshot:
    rules = {task: Rules(MEASURES, PARAMS.model_copy(update={"task": task}), GATES) for task in tasks}
    held = {task: side() if task in tasks else TaskSnapshot() for task in (*tasks, *others)}
    values = {"parameters": {}, "packages": {}, "code": {}, "times": {}} | more
    return Snapshot(side=Side(name="x", commit=None), rules=rules, tasks=held, **values)


def test_tasks_of_either_revision_are_compared_those_of_the_head_first():
    difference = compare_snapshots(snapshot("a", "b", others=("c",)), snapshot("c", "b", others=("a",)))
    assert [(task.task, task.state) for task in difference.tasks] == [("c", "new"), ("b", "kept"), ("a", "removed")]
    assert (difference.outcome, difference.confidence) == ("unjudged", 0.9)


def test_stages_a_quarter_and_a_second_slower_or_faster_are_reported():
    base = snapshot("a", times={"slow": 10.0, "fast": 10.0, "alike": 10.0, "short": 0.5, "gone": 9.0})
    head = snapshot("a", times={"slow": 12.6, "fast": 7.0, "alike": 12.4, "short": 1.4, "new": 9.0})
    assert compare_snapshots(base, head).times == (
        Change(name="slow", base="10.0 s", head="12.6 s"),
        Change(name="fast", base="10.0 s", head="7.0 s"),
    )


def test_what_does_not_fit_the_document_is_counted():
    tasks = [f"t{number}" for number in range(MOST_TASKS + 2)]
    empty = {task: TaskSnapshot(listed=True) for task in tasks}
    base = snapshot(*tasks)._replace(tasks=empty, packages={f"p{number}": "1" for number in range(205)})
    head = base._replace(packages={}, code={f"s{number}": "1" for number in range(MOST_STAGES + 3)})
    difference = compare_snapshots(base, head)
    assert (len(difference.tasks), len(difference.packages), len(difference.code)) == (MOST_TASKS, 200, MOST_STAGES)
    assert difference.left_out == 2 + 5 + 3
