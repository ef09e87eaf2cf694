"""report: the JSON documents of all stages -> a page for people, a Markdown summary for Git, a card per model."""

from collections.abc import Mapping

from pipeline.core.files import publish, read_json, read_utf8
from pipeline.core.stage import In, Out
from pipeline.report.cards import model_card
from pipeline.report.kind import Page, open_task
from pipeline.report.page import TEMPLATES, page_html
from pipeline.report.summary import summary_markdown
from pipeline.settings.task import ReportParams


def run(
    params: ReportParams,
    pages: Mapping[str, Page],
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
    kinds = {name: pages[params.kinds[name]] for name in params.tasks}
    tasks = [
        open_task(name, [read_json(folder / f"{name}.json") for folder in folders], page)
        for name, page in kinds.items()
    ]
    study = read_json(transfer) if transfer else None
    encoders = [read_json(pretraining / f"{name}.json") for name in params.encoders] if pretraining else []
    texts = {name: read_utf8(templates / name) for name in (*TEMPLATES, *{page.template for page in kinds.values()})}
    html = page_html(texts, params.title, tasks, worst=params.worst, transfer=study, encoders=encoders)
    markdown = summary_markdown(params.title, tasks, study, encoders)
    for path, text in ((page, html), (summary, markdown)):
        with publish(path) as partial:
            partial.write_text(text, encoding="utf-8")
    with publish(cards) as partial:
        partial.mkdir()
        for task in tasks:
            card = model_card(task, params.cards[task.name])
            (partial / f"{task.name}.md").write_text(card, encoding="utf-8")
