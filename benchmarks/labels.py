"""Planted label errors: how many the search for suspects finds, and what correcting them is worth.

In a share of the train and validation rows the label is replaced by another class, drawn evenly. The test rows keep
theirs. `python -m benchmarks.labels` runs after `dvc repro`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.params import read_params
from benchmarks.table import publish
from pipeline.core.format import count, markdown_table, points_and_interval, share, share_and_interval
from pipeline.core.tables import class_indices, labels_of, read_arrow, read_parquet
from pipeline.evaluate.align import align, to_vectors
from pipeline.evaluate.baselines import fit_probe, fit_tfidf
from pipeline.evaluate.bootstrap import percentile_interval
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.ngrams import count_ngrams
from pipeline.finetune.classification import Rows, rows_of
from pipeline.finetune.fit import prepare_training
from pipeline.inspection.search import Labelled, find_suspects
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.models.device import choose_device
from pipeline.models.folder import build_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.settings.task import InspectParams

TASKS = ("questions", "spam")
SEEDS = (0, 1, 2)
FINETUNED_SEEDS = (0,)
SHARE = 0.05
RESAMPLES = 2000
ENCODER = Path("data/raw/minilm")
MODELS = ("TF-IDF", "probe", "fine-tuned")
ABOUT = """# Planted label errors

`make bench-labels`: in 5% of the train and validation rows the label is replaced by another class. `inspect` then lists
the rows whose label is probably wrong. *Reviewed*: a person looks at each of them and sets the right label; *accepted*:
each gets the suggested label unseen. The test rows keep their labels. Accuracies are of them, means over three draws of
the errors (fine-tuned: the first alone), with 95% bootstrap intervals; differences are paired, in points. The precision
counts planted errors alone: a label that was wrong before counts as a false alarm."""


class Arm(NamedTuple):
    """The labels of all rows in one state of the data, (N,)."""

    name: str
    classes: Ints


def main() -> None:
    """Plant, search, correct and train, for each task and seed; write docs/benchmarks/labels.md."""
    search: list[tuple[str, ...]] = []
    accuracy: list[tuple[str, ...]] = []
    figures = {}
    for task in TASKS:
        runs = [run_seed(task, seed) for seed in SEEDS]
        found = {name: np.mean([run["search"][name] for run in runs]) for name in runs[0]["search"]}
        search.append((task, *(count(found[name]) for name in ("rows", "planted", "listed")),
                       *(share(found[name]) for name in ("precision", "recall", "top", "suggested"))))  # fmt: skip
        figures[task] = {name: round(float(value), 4) for name, value in found.items()}
        accuracy += [(task, model, *summarize(runs, model)) for model in MODELS]
    tables = (
        markdown_table(
            ("task", "rows", "planted", "listed", "precision", "recall", "precision of the first 50",
             "suggestion right"), search, right=range(1, 8),
        ),
        markdown_table(
            ("task", "model", "clean", "planted", "reviewed", "accepted", "planted - clean", "reviewed - planted"),
            accuracy, right=range(2, 8),
        ),
    )  # fmt: skip
    publish("labels", ABOUT, "\n".join(tables), figures, ("cleanlab", "scikit-learn", "torch", "transformers"))


def run_seed(task: str, seed: int) -> dict[str, Any]:
    """Return what the search finds among errors planted by `seed`, and the predictions of each model in each state."""
    params = read_params(InspectParams, "inspect", task)
    table = read_parquet(Path(f"data/examples/{task}.parquet"))
    ids, true, split = table["id"].to_pylist(), class_indices(table), table["split"].to_numpy()
    features = align(read_arrow(Path(f"data/features/{task}.arrow")), ids, like=table, what="features", split=None)
    texts, vectors = table["text"].to_pylist(), to_vectors(features["features"])
    classes = len(labels_of(table))

    random = np.random.default_rng(seed)
    wrong = (random.random(len(true)) < SHARE) & (split != "test")
    planted = np.where(wrong, (true + random.integers(1, classes, len(true))) % classes, true)
    suspects, _ = find_suspects(params, Labelled(ids, texts, planted, vectors), classes=classes)
    listed = [item for item in suspects if "label" in item.reasons and split[item.row] != "test"]
    rows = np.array([item.row for item in listed], np.int64)
    suggested = np.array([planted[item.row] if item.suggested is None else item.suggested for item in listed])
    reviewed, accepted = planted.copy(), planted.copy()
    reviewed[rows], accepted[rows] = true[rows], suggested

    arms = (Arm("clean", true), Arm("planted", planted), Arm("reviewed", reviewed), Arm("accepted", accepted))
    predictions = {arm.name: predict_test(params, arm.classes, texts, vectors, split) for arm in arms}
    if seed in FINETUNED_SEEDS:
        for arm in arms:
            class_of = dict(zip(ids, arm.classes.tolist(), strict=True))
            predictions[arm.name]["fine-tuned"] = finetune(task, class_of)
    print(f"{task} seed {seed}: {len(rows)} listed, {wrong[rows].sum()} of {wrong.sum()} planted", flush=True)
    return {
        "actual": true[split == "test"],
        "predictions": predictions,
        "search": {
            "rows": int((split != "test").sum()),
            "planted": int(wrong.sum()),
            "listed": len(rows),
            "precision": wrong[rows].mean(),
            "recall": wrong[rows].sum() / wrong.sum(),
            "top": wrong[rows[:50]].mean(),
            "suggested": (suggested == true[rows])[wrong[rows]].mean(),
        },
    }


def predict_test(
    params: InspectParams, classes: Ints, texts: Sequence[str], vectors: Any, split: Any
) -> dict[str, Floats]:
    """Return the probabilities of the test rows by each baseline, trained on these labels, (rows, classes)."""
    train, validation, test = (np.flatnonzero(split == name) for name in ("train", "validation", "test"))
    number = int(classes.max()) + 1
    return {
        "TF-IDF": fit_tfidf(
            params,
            count_ngrams(params, texts),
            train=(train, classes[train]),
            validation=(validation, classes[validation]),
            classes=number,
        ).predict(test),
        "probe": fit_probe(
            params,
            train=(vectors[train], classes[train]),
            validation=(vectors[validation], classes[validation]),
            classes=number,
        ).predict(vectors[test]),
    }


def finetune(task: str, class_of: dict[str, int]) -> Floats:
    """Return the probabilities of the test rows by the encoder, fine-tuned on these labels as the stage does."""
    params = read_params(ClassifierParams, "finetune", task)
    table = read_arrow(Path(f"data/tokens/{task}.arrow"))

    def relabel(rows: Rows) -> Rows:
        return rows._replace(labels=np.array([class_of[identity] for identity in rows.ids]))

    model = build_classifier(ENCODER, labels_of(table), dropout=params.dropout, seed=params.seed)
    train, validation = (relabel(rows_of(table, name)) for name in ("train", "validation"))
    with prepare_training(model, train, validation, params, LEARNING) as (training, _):
        while not training.finished:
            training.advance()
        training.result()
    return predict_probabilities(model, rows_of(table, "test").tokens, choose_device("fp32"))


def summarize(runs: Sequence[dict[str, Any]], model: str) -> tuple[str, ...]:
    """Return the accuracy of a model in each state, and two differences, means over the runs with intervals."""
    states = tuple(runs[0]["predictions"])
    hits = [
        [run["predictions"][state][model].argmax(axis=1) == run["actual"] for state in states]
        for run in runs
        if model in run["predictions"]["clean"]
    ]
    right = np.mean(hits, axis=0)  # (states, rows): the share of the runs that have a test row right
    random = np.random.default_rng(0)
    value = right.mean(axis=1)
    draw = np.array([right[:, random.integers(right.shape[1], size=right.shape[1])].mean(axis=1)
                     for _ in range(RESAMPLES)])  # fmt: skip
    clean, planted, reviewed = (states.index(name) for name in ("clean", "planted", "reviewed"))
    cells = []
    for at in range(len(states)):
        estimate = percentile_interval(value[at], draw[:, at], confidence=0.95)
        cells.append(share_and_interval(estimate.value, estimate.low, estimate.high))
    for left, right in ((planted, clean), (reviewed, planted)):
        estimate = percentile_interval(value[left] - value[right], draw[:, left] - draw[:, right], confidence=0.95)
        cells.append(points_and_interval(estimate.value, estimate.low, estimate.high))
    return tuple(cells)


if __name__ == "__main__":
    main()
