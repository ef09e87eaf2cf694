"""report: what the stages found about every task -> one page for people, one Markdown for Git."""

from pipeline.core.files import publish, read_json
from pipeline.core.stage import In, Out
from pipeline.report.page import page_html
from pipeline.report.summary import summary_markdown
from pipeline.report.verdict import Task
from pipeline.settings.task import ReportParams


def run(
    params: ReportParams,
    *,
    intake: In,
    findings: In,
    history: In,
    evaluation: In,
    projection: In,
    transfer: In,
    pretraining: In,
    page: Out,
    summary: Out,
) -> None:
    """Write the page and the summary of the tasks in `params`; other files in the folders do not matter."""
    folders = (intake, findings, history, evaluation, projection)
    tasks = [Task(name, *(read_json(folder / f"{name}.json") for folder in folders)) for name in params.tasks]
    study = read_json(transfer)
    encoders = [read_json(pretraining / f"{name}.json") for name in params.encoders]
    with publish(page) as partial:
        text = page_html(params.title, tasks, worst=params.worst, transfer=study, encoders=encoders)
        partial.write_text(text, encoding="utf-8")
    with publish(summary) as partial:
        partial.write_text(summary_markdown(params.title, tasks, study, encoders), encoding="utf-8")
