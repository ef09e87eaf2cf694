"""The measures of a kind of task: its metrics as functions of example weights, and what its predictions are.

Every value, interval, test, gate and slice follows from these; no other module of the core knows a metric by its name.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.evaluate.estimate import Estimate
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.slices import Slice
from pipeline.settings.fields import Unit

# A NamedTuple; its arrays have a row an example, (N, ...), and what is no array belongs to all of them.
Scored: TypeAlias = Any


class Metric(NamedTuple):
    """A metric of a kind; a NaN of it means that it is undefined, and `undefined` says why that is so."""

    name: str  # in documents and of its gate: "macro_f1"
    title: str  # in sentences: "macro-F1"
    better: Literal[1, -1]  # 1: higher is better
    unit: Unit  # differences of shares are shown in points
    compared: bool = True  # with the baselines and on slices, and its interval is kept among the flat metrics
    undefined: str = "it has no value on these rows"


def keep_titles(_labels: Sequence[str]) -> Mapping[str, str]:
    """Return no other titles: the metrics of most kinds are called the same whatever the classes are."""
    return {}


def rename_metrics(metrics: Sequence[Metric], titles: Mapping[str, str]) -> tuple[Metric, ...]:
    """Return metrics with other titles, by name."""
    return tuple(metric._replace(title=titles.get(metric.name, metric.title)) for metric in metrics)


class BaselineName(NamedTuple):
    """A baseline: its column in data/baselines, and its names in sentences and in tables."""

    name: str
    title: str
    short: str


class BaselineNames(NamedTuple):
    """The baselines of a kind by what they are for; `probe` reads the frozen encoder, None if the kind has none.

    `second` reads the second text of a pair alone; only tasks of pairs have it.
    """

    cheap: BaselineName
    probe: BaselineName | None
    trivial: BaselineName
    second: BaselineName | None = None

    def listed(self, among: Container[str]) -> tuple[BaselineName, ...]:
        """Return those whose names are `among` the columns or keys of a task, in the order of the documents."""
        return tuple(rival for rival in self if rival is not None and rival.name in among)


class Right(NamedTuple):
    """Which examples are right, for kinds that have such a thing: then McNemar's test judges the share of them."""

    metric: str  # the share of examples that are right
    rows: Callable[[Any], npt.NDArray[np.bool_]]  # scored -> (N,)
    confidence: Callable[[Any], Floats]  # scored -> (N,), larger if the model is surer of its answer


class Details(NamedTuple):
    """What only the section of this kind shows, under the keys of `model` and of the whole evaluation."""

    model: Document
    whole: Document


class Measured(NamedTuple):
    """The model and all that it is compared with, by name, on the same N examples and the same R resamples.

    `values` are the M metrics of each, (M,), `draws` those of each resample, (R, M).
    """

    scored: Mapping[str, Scored]
    values: Mapping[str, Floats]
    draws: Mapping[str, Floats]
    estimates: Mapping[str, Mapping[str, Estimate]]


class Measures(NamedTuple):
    """How a kind is measured; `params` below are its parameters of `evaluate`.

    An *answer* is what a model says of one example, a value of an Arrow type of the kind's own; the columns of
    data/baselines hold answers. A table of *predictions* has a row an example: its `id`, its truth and its answer.
    """

    metrics: tuple[Metric, ...]  # the headline first: it is what gains, the overview and the advice are about
    baselines: BaselineNames
    # (folder of the model, examples of a split, all tokens) -> answers, one an example in their order
    predict: Callable[[Path, pa.Table, pa.Table], pa.Array]
    # (those examples, their answers, data/calibration of the task) -> predictions
    tabulate: Callable[[pa.Table, pa.Array | pa.ChunkedArray, Document], pa.Table]
    # (predictions whose truths count, predictions whose answers do, params), row by row the same examples
    score_rows: Callable[[pa.Table, pa.Table, Any], Scored]
    compute: Callable[[Scored, Floats], Floats]  # (scored, weights (N,)) -> the metrics (M,); NaN: undefined
    right: Right | None  # None: the paired bootstrap judges all metrics
    truths: Callable[[pa.Table], list[str]]  # of examples or predictions, in words
    answers: Callable[[pa.Table], list[str]]  # of predictions, in words
    slices: Callable[[pa.Table, Any], list[Slice]]  # (test examples, params) -> parts of them, without small ones
    groups: Callable[[pa.Table], list[Slice]]  # predictions -> parts of them by their truths
    worst: Callable[[Scored, pa.Table, pa.Table, Any], list[Document]]  # (scored, examples, predictions, params)
    variants: Callable[[pa.Table, Document], dict[str, pa.Array]]  # (predictions, calibration) -> other answers
    details: Callable[[Measured, pa.Table, Document, Any], Details]  # (measured, predictions, calibration, params)
    project: Callable[[pa.Table, pa.Table, pa.Table, Any], Document]  # (examples, features, predictions, params)
    calibrate: Callable[[pa.Table, Path, Any], Document]  # (tokens, model, params) -> what its answers follow
    curve: Callable[[Scored, Any], list[Document]] | None = None  # (scored, params) -> bins of confidence, for `diff`
    # predictions -> (truths, answers) that the plot of confusions counts; None: those of the examples
    confused: Callable[[pa.Table], tuple[list[str], list[str]]] | None = None
    # classes of a task -> titles of metrics, by name, that are others there
    titles: Callable[[Sequence[str]], Mapping[str, str]] = keep_titles
    unit: str | None = None  # column of the predictions whose equal values are drawn together; None: each row alone

    @property
    def headline(self) -> Metric:
        """The metric that gains, the overview and the advice are about."""
        return self.metrics[0]

    def name_for(self, labels: Sequence[str]) -> "Measures":
        """Return the same with the metrics as tasks of these classes call them."""
        return self._replace(metrics=rename_metrics(self.metrics, self.titles(labels)))


def select_rows(scored: Scored, rows: Ints) -> Scored:
    """Return the scored examples at the positions `rows`, (M,)."""
    names = scored._fields
    chosen = {name: value[rows] for name, value in zip(names, scored, strict=True) if isinstance(value, np.ndarray)}
    return scored._replace(**chosen)


def count_rows(scored: Scored) -> int:
    """Return the number of scored examples."""
    return next(len(value) for value in scored if isinstance(value, np.ndarray))


def compute_metrics(measures: Measures, scored: Scored) -> Floats:
    """Return the metrics of scored examples that count once each, (M,)."""
    return measures.compute(scored, np.ones(count_rows(scored)))


def index_units(measures: Measures, predictions: pa.Table) -> Ints | None:
    """Return the unit of each row of predictions, (N,) from 0 up; None if each row is its own."""
    if measures.unit is None:
        return None
    codes = predictions[measures.unit].combine_chunks().dictionary_encode().indices
    return np.asarray(codes.to_numpy(), dtype=np.int64)
