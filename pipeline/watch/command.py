"""The command `watch`: the project, the file and the models opened, compared, printed and judged."""

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.document import json_text
from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError, listed
from pipeline.core.files import read_json, read_utf8
from pipeline.core.stage import load_facets
from pipeline.core.tables import class_indices, labels_of, read_parquet
from pipeline.examples.pairs import second_texts
from pipeline.kinds.text_classification.settings import TextEvaluateParams
from pipeline.predict.command import find_folder
from pipeline.predict.forms.pairs import TextPair
from pipeline.predict.predictor import Predictor, find_answers, load_predictor
from pipeline.predict.texts import choose_source, override_layout, require_encoding
from pipeline.repository.revisions import copy_dvc_files, open_revision, resolve_revision
from pipeline.settings.parse import parse_params
from pipeline.settings.production import WatchParams
from pipeline.settings.resolve import resolve_params
from pipeline.settings.shared.texts import PAIR, LabelledTextParams
from pipeline.settings.task import ExtractParams
from pipeline.watch.labelled import index_labels
from pipeline.watch.sample import Sample, find_class, read_row_labels, read_sample, require_enough
from pipeline.watch.text import render_watch
from pipeline.watch.watching import Domain, LabelledTexts, compare_file

_KIND = "text-classification"
_PARAMS, _PROFILES = Path("params.yaml"), Path("data/profiles.json")
_EXAMPLES, _MODEL = "data/examples/{}.parquet", "data/model/{}"
_NO_ENCODER = "the features are not compared: {} is not here, so no domain classifier was fitted"
_NO_TORCH = "the features are not compared: torch is not installed, so no domain classifier was fitted"


class Sections(NamedTuple):
    """What params.yaml says of a task, as far as it matters here."""

    ingest: LabelledTextParams
    extract: ExtractParams
    evaluate: TextEvaluateParams
    watch: WatchParams
    encoder: Path


def print_watch(task: str, file: Path, *, encoding: str | None, against: str | None, as_json: bool) -> int:
    """Print what is different in a file from the test split of a task, and return 1 if a limit is exceeded, else 0.

    Raises:
        UsageError: There is no such task, encoding, model or revision, the params are invalid, or the file is not of
            the task's encoding.
        DataError: The file breaks its format, or has too few new texts.
        EnvironmentFault: A file cannot be read.
    """
    sections = _read_sections(task)
    most = sections.watch.rows
    examples = read_parquet(Path(_EXAMPLES.format(task)))
    folder = find_folder(task)
    questions = find_answers(folder).questions
    source = choose_source(file.name, sections.ingest, form=None, columns=(), questions=questions)
    source = override_layout(source, encoding=encoding, delimiter=None)
    if encoding is None:
        require_encoding(file, source.layout)
    seen = examples.filter(pc.not_equal(examples["split"], "test"))["id"].to_pylist()
    sample = read_sample(file, source, questions, trained_on={*seen}, most=most)
    require_enough(sample, file, least=sections.watch.min_rows)
    labels = read_row_labels(file, source, sections.ingest)
    domain, note = _open_domain(sections, examples, most)
    reference = _read_reference(examples, most)
    predictor = load_predictor(folder)
    if (PAIR in examples.column_names) != ("pair" in questions.fields):
        raise EnvironmentFault(f"{task}: the model or the examples are pairs of texts, the others are not. {REPRODUCE}")
    if labels_of(examples) != predictor.labels:
        raise EnvironmentFault(
            f"{task}: the model has other classes than the examples, {listed(predictor.labels)} for "
            f"{listed(labels_of(examples))}. {REPRODUCE}"
        )
    with _opened_at(against, task, predictor) as old:
        side = _read_side(sample, labels, sections.ingest.name_classes(predictor.labels), predictor)
        watched = compare_file(
            predictor, reference, side, domain=domain, old=old, limits=sections.watch, evaluation=sections.evaluate
        )
    document = {
        "task": task,
        "version": predictor.version,
        "backend": predictor.backend,
        "rows": {**sample.count_rows(), "reference": len(reference.texts)},
        **watched.document,
        "revision": against,
        "notes": [note] if note else [],
    }
    sys.stdout.write(json_text(document) if as_json else render_watch(document) + "\n")
    return int(any(number.passed for number in watched.numbers))


def _read_sections(task: str) -> Sections:
    """Return the sections of a task.

    Raises:
        UsageError: The params are invalid, or have no such task.
        EnvironmentFault: They cannot be read.
    """
    text = read_utf8(_PARAMS)
    resolved = resolve_params(text, load_facets("settings"), read_json(_PROFILES) if _PROFILES.is_file() else {})
    if task not in resolved["watch"]:
        raise UsageError(f"no task {task!r} in {_PARAMS}. Name one of {', '.join(resolved['watch'])}.")
    if (kind := resolved["kinds"][task]) != _KIND:
        raise UsageError(f"{task}: is of the kind {kind}, and this watches {_KIND} alone. Name a task of that kind.")

    def section(name: str) -> str:
        return json.dumps(resolved[name][task])

    return Sections(
        LabelledTextParams.model_validate_json(section("ingest")),
        ExtractParams.model_validate_json(section("extract")),
        TextEvaluateParams.model_validate_json(section("evaluate")),
        WatchParams.model_validate_json(section("watch")),
        Path("data") / parse_params(text)[0]["tasks"][task]["encoder"],
    )


def _read_reference(examples: pa.Table, most: int) -> LabelledTexts:
    """Return the test split, or a random sample of it.

    Raises:
        EnvironmentFault: It is empty.
    """
    test = examples.filter(pc.equal(examples["split"], "test")).sort_by("id").slice(0, most)
    if not test.num_rows:
        raise EnvironmentFault(f"the examples have no test split. {REPRODUCE}")
    return LabelledTexts(_take_questions(test), class_indices(test))


def _take_questions(examples: pa.Table) -> list[Any]:
    """Return the texts, or pairs of texts, of the examples."""
    texts: list[str] = examples["text"].to_pylist()
    seconds = second_texts(examples)
    return texts if seconds is None else [*map(TextPair, texts, seconds)]


def _read_side(
    sample: Sample, labels: dict[int, str], ingest: LabelledTextParams, predictor: Predictor
) -> LabelledTexts:
    """Return the texts of the file with their classes, as far as it has labels that are classes."""
    classes = [find_class(labels.get(text.row, ""), ingest) for text in sample.texts]
    return LabelledTexts([text.question for text in sample.texts], index_labels(classes, predictor.labels))


def _open_domain(sections: Sections, examples: pa.Table, most: int) -> tuple[Domain | None, str]:
    """Return a random sample of the train split and what makes features; if that is not possible, None and why."""
    if not sections.encoder.is_dir():
        return None, _NO_ENCODER.format(sections.encoder)
    if importlib.util.find_spec("torch") is None:
        return None, _NO_TORCH
    train = examples.filter(pc.equal(examples["split"], "train")).sort_by("id").slice(0, most)
    extract = importlib.import_module("pipeline.predict.torch_model").open_extractor(sections.encoder, sections.extract)
    return Domain(_take_questions(train), extract), ""


@contextmanager
def _opened_at(revision: str | None, task: str, new: Predictor) -> Iterator[Predictor | None]:
    """Yield the predictor of the model folder that a revision records; None for no revision.

    Raises:
        UsageError: There is no such revision, or it has no model of the task with the same classes.
        EnvironmentFault: The model is in neither DVC's cache nor a remote.
    """
    if revision is None:
        yield None
        return
    at = resolve_revision(Path.cwd(), revision)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / task
        with open_revision(at) as repo:
            if not copy_dvc_files(repo, at, _MODEL.format(task), folder):
                raise UsageError(f"{revision}: no {_MODEL.format(task)}. Name a revision that has the model.")
        old = load_predictor(folder)
        if old.labels != new.labels or old.answers.questions.fields != new.answers.questions.fields:
            raise UsageError(
                f"{revision}: its model has other classes or inputs than that here. Name a later revision."
            )
        yield old
