"""report: the JSON documents of all stages -> an HTML page for people and a Markdown summary for Git."""

from pathlib import Path

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish, read_json
from pipeline.core.stage import In, Out
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
    transfer: In | None = None,
    pretraining: In | None = None,
    templates: In,
    page: Out,
    summary: Out,
) -> None:
    """Write the page and the summary of the tasks in `params`; other files in the folders are ignored.

    `transfer` is None if no study has run, `pretraining` None if no encoder is pretrained here.
    """
    folders = (intake, findings, inspection, history, evaluation, projection)
    tasks = [Task(name, *(read_json(folder / f"{name}.json") for folder in folders)) for name in params.tasks]
    study = read_json(transfer) if transfer else None
    encoders = [read_json(pretraining / f"{name}.json") for name in params.encoders] if pretraining else []
    texts = {name: _read_text(templates / name) for name in TEMPLATES}
    html = page_html(texts, params.title, tasks, worst=params.worst, transfer=study, encoders=encoders)
    markdown = summary_markdown(params.title, tasks, study, encoders)
    for path, text in ((page, html), (summary, markdown)):
        with publish(path) as partial:
            partial.write_text(text, encoding="utf-8")


def _read_text(path: Path) -> str:
    """Return the text of a template.

    Raises:
        EnvironmentFault: It is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"report: template not readable: {path}: {error}. Restore it from Git.") from error
