"""report: the JSON documents of all stages -> a page for people, a Markdown summary for Git, a card per model."""

from pathlib import Path

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish, read_json
from pipeline.core.stage import In, Out
from pipeline.report.cards import classifier_card
from pipeline.report.page import TEMPLATES, page_html
from pipeline.report.summary import summary_markdown
from pipeline.report.verdict import Task
from pipeline.settings.task import ReportParams


def run(
    params: ReportParams,
    *,
    intake: In,
    findings: In,
    inspection: In,
    history: In,
    evaluation: In,
    projection: In,
    transfer: In,
    pretraining: In,
    templates: In,
    page: Out,
    summary: Out,
    cards: Out,
) -> None:
    """Write the page, the summary and the model cards of the tasks in `params`; other files are ignored."""
    folders = (intake, findings, inspection, history, evaluation, projection)
    tasks = [Task(name, *(read_json(folder / f"{name}.json") for folder in folders)) for name in params.tasks]
    study = read_json(transfer)
    encoders = [read_json(pretraining / f"{name}.json") for name in params.encoders]
    texts = {name: _read_text(templates / name) for name in TEMPLATES}
    html = page_html(texts, params.title, tasks, worst=params.worst, transfer=study, encoders=encoders)
    markdown = summary_markdown(params.title, tasks, study, encoders)
    for path, text in ((page, html), (summary, markdown)):
        with publish(path) as partial:
            partial.write_text(text, encoding="utf-8")
    with publish(cards) as partial:
        partial.mkdir()
        for task in tasks:
            card = classifier_card(task, params.cards[task.name])
            (partial / f"{task.name}.md").write_text(card, encoding="utf-8")


def _read_text(path: Path) -> str:
    """Return the text of a template.

    Raises:
        EnvironmentFault: It is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"report: template not readable: {path}: {error}. Restore it from Git.") from error
