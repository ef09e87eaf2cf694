import re

from markdown_it import MarkdownIt

from pipeline.report.summary import results_table, summary_markdown
from tests.given.reporting import make_task, metric, three_tasks, unmeasured

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = "<script> | `x` **b** [l](javascript:1) ![i](http://e.org) @user #1\n\n# h\u202e"
TAGS = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}


def test_the_overview_by_hand() -> None:
    table = results_table([task.evaluation for task in three_tasks()])
    assert table.splitlines() == [
        "| Task | Classes | Test rows | Accuracy | Macro-F1 | TF-IDF | Gain (points) | p | Verdict "
        "| Probe | Fine-tuning |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | --- |",
        "| reviews | 2 | 1,086 | 0.868 [0.848, 0.888] | 0.862 [0.842, 0.882] | 0.790 | +7.8 [+5.2, +10.4] "
        "| &lt; 0.001 | real gain | 0.829 | pays: +3.9 [+1.3, +6.5] |",
        "| questions | 6 | 500 | 0.940 [0.920, 0.960] | 0.934 [0.914, 0.954] | 0.932 | +0.8 [−1.0, +2.6] "
        "| 0.405 | no proven difference | 0.936 | not proven: +0.4 [−1.4, +2.2] |",
        "| spam | 2 | 558 | 0.978 [0.959, 0.999] | 0.972 [0.953, 0.993] | 0.991 | −1.2 [−2.2, −0.3] "
        "| 0.012 | real loss | 0.985 | not proven: −0.6 [−1.5, +0.3] |",
    ]
    assert results_table([]).count("\n") == 2


def test_a_section_by_hand() -> None:
    assert (
        summary_markdown("Results", [make_task()]).split("\n## ")[1]
        == """reviews

Accuracy 0.868 [0.848, 0.888] on 1,086 test examples; 7.8 points above TF-IDF + logistic regression (p < 0.001).

Fine-tuning pays: 3.9 points above a linear probe on the frozen encoder (p < 0.001).

| Class | Precision | Recall | F1 | Test rows |
| --- | ---: | ---: | ---: | ---: |
| negative | 0.859 | 0.877 | 0.868 | 536 |
| positive | 0.878 | 0.860 | 0.869 | 550 |

If a later model predicts 5% of the test rows differently, a drop of 1.7 points or more can be detected \
(one-sided level 5%, power 80%).

Best step 398 of 530, cpu, fp32. Checks of the data: 5 passed, 2 warnings.

- warning: Few test rows nearly repeat a train row (37)
- warning: Texts are not too long (2)

3 of 10,640 examples are suspicious: 2 by their label, 1 by a near duplicate with another label, 1 because they \
resemble no other. Models fitted to the other examples agree with 80.51% of the labels.
"""
    )


def test_github_reads_it_as_meant() -> None:
    page = GITHUB.render(summary_markdown("Results", three_tasks()))
    assert page.count("<table>") == 4
    assert page.count("<h2>") == 3
    assert page.count("<li>") == 6
    assert "<p>Brackets hold 95% confidence intervals." in page


def test_hostile_names_change_nothing_but_words() -> None:
    task = make_task(labels=(HOSTILE, HOSTILE + "2"))
    for check in task.findings["checks"]:
        check["title"] = HOSTILE
    task.history["device"]["device"] = HOSTILE
    task.evaluation["model"]["accuracy"] = {"value": None, "low": None, "high": None, "reason": HOSTILE}
    tags = re.findall(r"<([a-z0-9]+)", GITHUB.render(summary_markdown(HOSTILE, [task])))
    plain = make_task()
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
    cells = "0.868 [0.848, 0.888] | – | 0.790 | – | – | not measured | 0.829 | not measured"
    assert f"| reviews | 2 | 1,086 | {cells} |" in text
    assert "Checks of the data: 3 passed.\n\n3 of 10,640 " in text
    assert summary_markdown("Results", []).count("|") == 24
