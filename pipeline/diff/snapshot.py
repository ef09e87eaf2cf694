"""The state of a project at one revision: parameters, versions, and all that it holds of each task."""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.diff.document import Side
from pipeline.evaluate.kind import Measures
from pipeline.settings.task import EvaluateParams, MetricGate


class Rules(NamedTuple):
    """The measures of a task and their parameters, and the gate of each metric that judges it, None for no gate."""

    measures: Measures
    params: EvaluateParams
    gates: Mapping[str, MetricGate | None]


class TaskSnapshot(NamedTuple):
    """Everything a revision holds of a task; None stands for what is missing or unreadable.

    `listed`: params.yaml has the task. `stale`: stages that its metrics depend on have yet to run. `recorded`: the
    metrics are those that dvc.lock records. `made_from`: the checksum of the examples they were measured on. `faults`:
    what is wrong, each the rest of "The base has ...".
    """

    listed: bool = False
    stale: bool = False
    recorded: bool = True
    made_from: str | None = None
    metrics: Document | None = None
    predictions: pa.Table | None = None
    examples: pa.Table | None = None
    findings: Document | None = None
    history: Document | None = None
    faults: tuple[str, ...] = ()


class Snapshot(NamedTuple):
    """A project at one revision.

    `rules` are by task, empty if params.yaml is not valid today; `tasks` has every task of either revision.
    `parameters`, `packages` and `code` (fingerprints by stage) map names to values. `times` are seconds by stage, empty
    if unknown.
    """

    side: Side
    rules: dict[str, Rules]
    tasks: dict[str, TaskSnapshot]
    parameters: dict[str, str]
    packages: dict[str, str]
    code: dict[str, str]
    times: dict[str, float]
