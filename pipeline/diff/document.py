"""The strict document of a diff: the interface between the run that compares and the job that comments.

It may come from code that nobody has reviewed, so every text and every list is bounded: a valid document is small and
says only what these classes can say. It holds ids, lines and class names of examples, and never their texts.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from pipeline.core.document import Strict
from pipeline.core.errors import DataError
from pipeline.settings.fields import Name, Share, Split, Unit

MOST_BYTES = 4_000_000
MOST_TASKS, MOST_ROWS, MOST_EXAMPLES, MOST_NOTES, MOST_STAGES, MOST_METRICS = 200, 200, 20, 20, 100, 20
LARGEST_NUMBER = 10**10

Word = Annotated[str, StringConstraints(max_length=200)]
Sentence = Annotated[str, StringConstraints(max_length=600)]
Number = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Outcome = Literal["passed", "unproven", "failed", "unjudged"]
OUTCOMES: tuple[Outcome, ...] = ("failed", "unproven", "unjudged", "passed")  # the worst first
_CREATE = "Run `python -m pipeline diff --json` to create it."


class MetricChange(Strict):
    """A metric of both revisions; null if there is no number.

    The differences of a `share` are shown in percentage points. `difference` is head minus base. `p_value` tests "no
    difference", `p_worse` "not worse"; both are null if the two models could not be compared example by example.
    """

    metric: MetricName
    title: Word
    unit: Unit
    base: float | None
    head: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: Share | None
    p_worse: Share | None


class Judgement(Strict):
    """The judgement of a gate; `sees` is the smallest true drop it fails in four cases of five, null if unknown."""

    metric: MetricName
    largest_drop: float
    level: float
    floor: float | None
    sees: float | None
    outcome: Outcome
    reason: Sentence


class Example(Strict):
    """A test example that only one of the two models gets right.

    `line` is where it starts: a line, or FILE:LINE if the task has several files.
    """

    id: Word
    line: Number | Word | None
    label: Word
    base: Word
    head: Word


class Flips(Strict):
    """How many examples only the head gets right (`fixed`) and only the base (`broken`), with McNemar's p values.

    There are none if examples are drawn in units: the test takes them for independent.
    """

    fixed: Number
    broken: Number
    p_value: Share | None
    mid_p: Share | None
    fixed_examples: Annotated[tuple[Example, ...], Field(max_length=MOST_EXAMPLES)]
    broken_examples: Annotated[tuple[Example, ...], Field(max_length=MOST_EXAMPLES)]


class Group(Strict):
    """The examples of one class or slice: shares right, and McNemar's p value, adjusted for all groups of its kind."""

    kind: Word
    value: Word
    rows: Number
    base: Share
    head: Share
    fixed: Number
    broken: Number
    p_value: Share | None


class SharedRows(Strict):
    """The sizes of both test sets; `relabelled` counts the rows of `common` whose class differs."""

    base: Number
    head: Number
    common: Number
    relabelled: Number


class RowChanges(Strict):
    """The differences between the rows of one split; `moved` rows came from another split."""

    split: Split
    base: Number
    head: Number
    added: Number
    removed: Number
    relabelled: Number
    moved: Number


class Change(Strict):
    """A value that differs; null if a revision does not have it."""

    name: Word
    base: Word | None
    head: Word | None


class Bin(Strict):
    """The examples of one range of confidence, from `low` on: count, mean confidence, share that is right."""

    low: Share
    count: Number
    confidence: Share
    right: Share


class LossPoint(Strict):
    """A point of the learning curve; the loss is on validation."""

    step: Number
    loss: float | None


class Curves(Strict):
    """The calibration and the learning curve of one revision."""

    calibration: Annotated[tuple[Bin, ...], Field(max_length=100)]
    learning: Annotated[tuple[LossPoint, ...], Field(max_length=MOST_ROWS)]


class TaskDifference(Strict):
    """The differences in one task; `paired` is whether its metrics were compared example by example."""

    task: Name
    state: Literal["kept", "new", "removed"]
    outcome: Outcome
    paired: bool
    notes: Annotated[tuple[Sentence, ...], Field(max_length=MOST_NOTES)]
    metrics: Annotated[tuple[MetricChange, ...], Field(max_length=MOST_METRICS)]
    gates: Annotated[tuple[Judgement, ...], Field(max_length=MOST_METRICS)]
    test: SharedRows | None
    flips: Flips | None
    groups: Annotated[tuple[Group, ...], Field(max_length=MOST_ROWS)]
    rows: Annotated[tuple[RowChanges, ...], Field(max_length=3)]
    findings: Annotated[tuple[Change, ...], Field(max_length=MOST_ROWS)]
    curves: Annotated[tuple[Curves, ...], Field(max_length=2)]


class AffectedStage(Strict):
    """A stage that a run of a revision would execute, since its record is not of what the revision holds."""

    stage: Word
    reasons: Word


class Side(Strict):
    """A revision: the name it was given, its commit (null for the working tree), and the stages it has yet to run."""

    name: Word
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None
    stale: Annotated[tuple[AffectedStage, ...], Field(max_length=MOST_ROWS)] = ()


class Difference(Strict):
    """The changes of the head compared with the base."""

    version: Literal[3]
    base: Side
    head: Side
    outcome: Outcome
    confidence: Share
    tasks: Annotated[tuple[TaskDifference, ...], Field(max_length=MOST_TASKS)]
    parameters: Annotated[tuple[Change, ...], Field(max_length=MOST_ROWS)]
    packages: Annotated[tuple[Change, ...], Field(max_length=MOST_ROWS)]
    code: Annotated[tuple[Name, ...], Field(max_length=MOST_STAGES)]
    times: Annotated[tuple[Change, ...], Field(max_length=MOST_ROWS)]
    left_out: Number


def read_difference(content: bytes) -> Difference:
    """Return the document in `content`.

    Raises:
        DataError: It is too large, not strict JSON, or not of this shape.
    """
    if len(content) > MOST_BYTES:
        raise DataError(f"the document has {len(content)} bytes, at most {MOST_BYTES} are allowed. {_CREATE}")
    try:
        return Difference.model_validate_json(content)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)
        shown = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'document'}: {item['msg']}" for item in wrong[:5])
        raise DataError(f"the document has {len(wrong)} error(s): {shown}. {_CREATE}") from None


def worst_outcome(outcomes: tuple[Outcome, ...]) -> Outcome:
    """Return the worst of several outcomes, `unjudged` if there is none."""
    return min(outcomes, key=OUTCOMES.index, default="unjudged")
