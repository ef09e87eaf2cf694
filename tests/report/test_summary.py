import re

from markdown_it import MarkdownIt

from pipeline.report.identity import identify_results
from pipeline.report.page import page_html
from pipeline.report.summary import results_table, summary_markdown
from tests.given.reporting import TEMPLATE_TEXTS, decision, make_task, metric, pretraining, three_tasks, unmeasured
from tests.given.studies import make_study

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = "<script> | `x` **b** [l](javascript:1) ![i](http://e.org) @user #1\n\n# h\u202e"
TAGS = {"h1", "h2", "p", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}


def test_the_overview_by_hand() -> None:
    table = results_table(three_tasks())
    assert table.splitlines() == [
        "| Task | Test rows | Accuracy | TF-IDF | Gain (p) | Probe | Fine-tuning pays? | Take |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |",
        "| reviews | 1,086 | 0.868 [0.848, 0.888] | 0.790 | +7.8 (&lt; 0.001) | 0.829 | yes, +3.9 | fine-tuned |",
        "| questions | 500 | 0.940 [0.920, 0.960] | 0.932 | +0.8 (0.405) | 0.936 | not proven, +0.4 | TF-IDF |",
        "| spam | 558 | 0.978 [0.959, 0.999] | 0.991 | −1.2 (0.012) | 0.985 | not proven, −0.6 | TF-IDF |",
    ]
    assert results_table([]).count("\n") == 2


def test_a_section_by_hand() -> None:
    assert (
        summary_markdown("Results", [make_task()]).split("\n## ")[1]
        == """reviews

Accuracy 0.868 [0.848, 0.888] on 1,086 test examples; 7.8 points above TF-IDF + logistic regression (p < 0.001).

Fine-tuning pays: 3.9 points above a linear probe on the frozen encoder (p < 0.001).

- Model: Take the fine-tuned model: it is better than TF-IDF and the probe.
- More labels: Whether more would help is not known. A study of fewer labels tells it: `python -m pipeline overlay \
profiles/pretraining && python -m pipeline overlay profiles/study && make repro`
- Label errors: 2 of 10,640 labels may be wrong, 1 text with a near duplicate of another label. For a file of \
them to correct: `python -m pipeline relabel reviews`
- Checks: 2 checks did not pass: Few test rows nearly repeat a train row, Texts are not too long.

| Class | Precision | Recall | F1 | Test rows |
| --- | ---: | ---: | ---: | ---: |
| negative | 0.859 | 0.877 | 0.868 | 536 |
| positive | 0.878 | 0.860 | 0.869 | 550 |

If a later model predicts 5% of the test rows differently, a drop of 1.7 points or more can be detected \
(one-sided level 5%, power 80%).

Macro-F1 0.862 [0.842, 0.882]. Best step 398 of 530, cpu, fp32. Checks of the data: 5 passed, 2 warnings.

- warning: Few test rows nearly repeat a train row (37)
- warning: Texts are not too long (2)

3 of 10,640 examples are suspicious: 2 by their label, 1 by a near duplicate with another label, 1 because they \
resemble no other. Models fitted to the other examples agree with 0.805 of the labels.
"""
    )


def test_github_reads_it_as_meant() -> None:
    page = GITHUB.render(summary_markdown("Results", three_tasks()))
    assert page.count("<table>") == 4
    assert page.count("<h2>") == 3
    assert page.count("<li>") == 6 + 13
    assert "<p>Brackets hold 95% confidence intervals." in page


MATRIX = ((300, 0), (1, 2))  # of the second class, there are too few rows to say anything


def test_hostile_names_change_nothing_but_words() -> None:
    task = make_task(labels=(HOSTILE, HOSTILE + "2"), matrix=MATRIX)
    for check in task.findings["checks"]:
        check["title"] = HOSTILE
    task.history["device"]["device"] = HOSTILE
    task.evaluation["model"]["accuracy"] = {"value": None, "low": None, "high": None, "reason": HOSTILE}
    task.evaluation["decision"] = decision(HOSTILE)
    tags = re.findall(r"<([a-z0-9]+)", GITHUB.render(summary_markdown(HOSTILE, [task])))
    plain = make_task(matrix=MATRIX)
    plain.evaluation["decision"] = decision("positive")
    plain.evaluation["model"]["accuracy"] = {"value": None, "low": None, "high": None, "reason": "none"}
    assert tags == re.findall(r"<([a-z0-9]+)", GITHUB.render(summary_markdown("Results", [plain])))
    assert set(tags) == TAGS


def test_no_text_of_the_data_is_in_it() -> None:
    task = make_task(texts=("A SECRET TEXT",))
    assert "SECRET" not in summary_markdown("Results", [task])


def test_missing_numbers_and_no_warnings() -> None:
    task = make_task()
    task.findings["checks"][:] = task.findings["checks"][:3]
    task.evaluation["comparisons"] = [unmeasured(name) for name in ("tfidf", "probe", "majority")]
    task.evaluation["model"]["macro_f1"] = metric(None)
    text = summary_markdown("Results", [task])
    assert "| reviews | 1,086 | 0.868 [0.848, 0.888] | 0.790 | – (–) | 0.829 | not measured | – |" in text
    assert "Checks of the data: 3 passed.\n\n3 of 10,640 " in text
    assert summary_markdown("Results", []).count("|") == 18


def test_the_identity_is_that_of_the_page() -> None:
    tasks, study, encoders = three_tasks(), make_study(), [pretraining()]
    identity = identify_results(tasks, study, encoders)
    assert f"\nResults {identity}.\n" in summary_markdown("R", tasks, study, encoders)
    page = page_html(TEMPLATE_TEXTS, "R", tasks, worst=1, transfer=study, encoders=encoders)
    assert f"<title>R ({identity})</title>" in page
