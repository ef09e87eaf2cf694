"""The page of a kind of task: what the report says of its tasks, and how."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.core.document import Document
from pipeline.evaluate.kind import BaselineNames, Metric, keep_titles, rename_metrics

# What ingest counts as changes of texts, by their keys in data/intake, after "12 ".
TEXT_CHANGES = {
    "normalised": "texts put into NFC",
    "controls": "with control characters replaced",
    "trimmed": "with white space at the ends removed",
}
Quote = Callable[[str], str]  # makes free text safe in the format of a sentence


class Advice(NamedTuple):
    """One thing to do or to know.

    Args:
        subject: What it is about.
        text: One or two sentences; the last ends with a colon if there are commands.
        section: The section of the page that shows why.
        commands: What to type, in turn.
    """

    subject: str
    text: str
    section: str
    commands: tuple[str, ...] = ()


class CardParts(NamedTuple):
    """The parts of a model card that are a kind's own, in Markdown.

    Args:
        tag: The kind by the name that the Hub has for it.
        hub_metrics: The metrics of the front matter: that of the evaluation, that of the Hub, and its name there.
        introduction: What the model is, up to "fine-tuned by Transferline".
        outputs: What it tells apart, a list say; may be empty.
        use: A paragraph or a block of code on how to use it.
        tables: Further tables of results.
        limits: Sentences on what it cannot do.
    """

    tag: str
    hub_metrics: tuple[tuple[str, str, str], ...]
    introduction: str
    outputs: str
    use: str
    tables: str
    limits: str


class Page(NamedTuple):
    """How the report shows the tasks of a kind.

    Args:
        metrics: Those of its measures, the headline first.
        baselines: Those of its measures.
        sections: The titles of the foldable parts of a task and of the first ones, by the prefix of their ids.
        template: The section of a task, a file beside page.html.
        functions: What the template calls beside the functions that all may call.
        scale: A sentence on the ranges of the metrics.
        advise: Advice of its own on a task; free text goes through the quote.
        summarize: Paragraphs and tables of its own in the summary.
        describe: The parts of a model's card.
        changes: What ingest counts as changes, in words after their number, by their keys in data/intake.
        keeps_cheap: Whether `baseline` keeps the cheap baseline, and `predict` answers by it.
        titles: That of its measures.
    """

    metrics: tuple[Metric, ...]
    baselines: BaselineNames
    sections: Mapping[str, str]
    template: str
    functions: Mapping[str, Callable[..., Any]]
    scale: str
    advise: Callable[["Task", Quote], list[Advice]]
    summarize: Callable[["Task"], list[str]]
    describe: Callable[["Task"], CardParts]
    changes: Mapping[str, str] = TEXT_CHANGES
    keeps_cheap: bool = False
    titles: Callable[[Sequence[str]], Mapping[str, str]] = keep_titles

    @property
    def headline(self) -> Metric:
        """The metric that the overview, the gains and the advice are about."""
        return self.metrics[0]

    def name_for(self, labels: Sequence[str]) -> "Page":
        """Return the same with the metrics as tasks of these classes call them, of equal titles the first one."""
        renamed = rename_metrics(self.metrics, self.titles(labels))
        return self._replace(metrics=tuple({metric.title: metric for metric in reversed(renamed)}.values())[::-1])


class Task(NamedTuple):
    """The JSON documents that the stages wrote about a task, and the page of its kind."""

    name: str
    intake: Document
    findings: Document
    inspection: Document
    history: Document
    evaluation: Document
    projection: Document
    page: Page


def open_task(name: str, documents: Sequence[Document], page: Page) -> Task:
    """Return a task of its documents, in their order, and of the page of its kind."""
    task = Task._make((name, *documents, page))
    return task._replace(page=page.name_for(task.evaluation["labels"]))
