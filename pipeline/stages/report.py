"""report: the JSON documents of all stages -> a page for people, a Markdown summary for Git, a card per model."""

from pipeline.core.files import publish, read_json, read_utf8
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
    transfer: In | None = None,
    pretraining: In | None = None,
    templates: In,
    page: Out,
    summary: Out,
    cards: Out,
) -> None:
    """Write the page, the summary and the model cards of the tasks in `params`; other files are ignored.

    `transfer` is None if no study has run, `pretraining` None if no encoder is pretrained here.
    """
    folders = (intake, findings, inspection, history, evaluation, projection)
    tasks = [Task(name, *(read_json(folder / f"{name}.json") for folder in folders)) for name in params.tasks]
    study = read_json(transfer) if transfer else None
    encoders = [read_json(pretraining / f"{name}.json") for name in params.encoders] if pretraining else []
    texts = {name: read_utf8(templates / name) for name in TEMPLATES}
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
