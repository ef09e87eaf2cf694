import hashlib
import html
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateNotFound, UndefinedError

from pipeline.core.document import Document
from pipeline.core.format import visible
from pipeline.evaluate.kind import Metric
from pipeline.kinds.text_classification.page import PAGE
from pipeline.report.kind import Task
from pipeline.report.page import page_html
from tests.given.reporting import TEMPLATE_TEXTS, decision, make_task, pretraining, three_tasks, unmeasured
from tests.given.studies import make_study

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</style></title><b>",
    "]]><!-- --><?php",
    "\u202e\u200b\x00\n\ud800",
    "&lt;b&gt;&#60;",
    "items",
)
SAFE_ATTRIBUTES = {"href", "src", "style", "action", "srcset", "data", "xlink:href"}


class Skeleton(HTMLParser):
    """The tags of a page with the names of their attributes, its text, and every address."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Long names in charts are turned, so `transform` is there or not by their length.
        self.tags.append((tag, tuple(name for name, _ in attrs if name != "transform")))
        self.addresses += [value or "" for name, value in attrs if name in SAFE_ATTRIBUTES]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", (data,)))


def hostile(words: tuple[str, str, str]) -> Task:
    """Return a task in which every free text of the documents is one of `words`."""
    task = make_task(labels=(words[0] + "a", words[0] + "b"), texts=(words[1], words[2]))
    task.intake["file"] = words[1]
    for check in task.findings["checks"]:
        check.update(title=words[1], expected=words[2], found=words[1], reason=words[2])
    task.history["device"].update(device=words[0], reason=words[1])
    for row in task.evaluation["slices"]:
        row.update(slice=words[1], value=words[2])
    for row in task.evaluation["worst"]:
        row.update(text=words[1], label=words[2], predicted=words[0])
    for row in task.inspection["suspects"]:
        row.update(text=words[1], label=words[2], suggested=words[0])
    task.projection["neighbours"] = [
        {
            "text": words[1],
            "label": words[2],
            "predicted": words[0],
            "nearest": [{"text": words[2], "label": words[1], "similarity": 0.5}],
        }
    ]
    task.evaluation["decision"] = decision(words[0])
    task.evaluation["model"]["ece"] = {"value": None, "low": None, "high": None, "reason": words[2]}
    return task


def skeleton(words: tuple[str, str, str]) -> Skeleton:
    return Skeleton(page_html(TEMPLATE_TEXTS, words[0], [hostile(words)], worst=10))


@pytest.fixture(scope="module")
def page() -> str:
    return page_html(TEMPLATE_TEXTS, "Transferline", three_tasks(), worst=10)


@pytest.fixture(scope="module")
def harmless() -> Skeleton:
    return skeleton(("harmless", "harmless", "harmless"))


# ------------------------------------------------------------------------------------------------ safety
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_element_and_shows_as_it_is(text: str, harmless: Skeleton) -> None:
    page = skeleton((text, text, text))
    assert page.tags == harmless.tags
    assert visible(text) in page.words


anything = st.text(st.one_of(st.characters(), st.sampled_from("<>&'\"{}%/=\u202e\x00 ")), min_size=1, max_size=12)


@settings(max_examples=25)
@given(st.tuples(anything, anything, anything))
def test_no_text_adds_an_element_or_an_attribute(harmless: Skeleton, words: tuple[str, str, str]) -> None:
    page = skeleton(words)
    assert page.tags == harmless.tags
    "".join(page.words).encode("utf-8")


def test_the_page_needs_nothing_else(page: str) -> None:
    parsed = Skeleton(page)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base", "foreignobject", "use", "image"}
    assert not [name for _, names in parsed.tags for name in names if name.startswith("on") or name == "style"]
    assert {address for address in parsed.addresses if not address.startswith("#")} == {"data:,"}
    assert "http:" not in page
    assert "https:" not in page
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0])
    assert policy.split("; ")[:3] == ["default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"]


def test_the_same_documents_give_the_same_bytes(page: str) -> None:
    assert page == page_html(TEMPLATE_TEXTS, "Transferline", three_tasks(), worst=10)


# ------------------------------------------------------------------------------------------------ structure
def test_every_task_has_its_section_and_its_pictures(page: str) -> None:
    tasks = ("reviews", "questions", "spam")
    assert re.findall(r'<h2 id="([^"]+)"', page) == ["overview", *(f"task-{task}" for task in tasks)]
    for name in (name for key, name in PAGE.sections.items() if key not in ("results", "classes")):
        assert re.findall(rf'<h3>{name}<span class="quiet"> of (\w+)<', page) == [*tasks]
    for picture in ("Confusion matrix", "Learning curve", "Calibration curve"):
        assert page.count(f"<title>{picture}</title>") == 3


def test_every_link_leads_to_a_part_of_the_page_and_has_its_own_name(page: str) -> None:
    links = re.findall(r'<a [^>]*href="#([^"]+)">(.*?)</a>', page, flags=re.DOTALL)
    ids = set(re.findall(r' id="([^"]+)"', page))
    assert {target for target, _ in links} <= ids
    assert {f"{key}-{task}" for key in PAGE.sections for task in ("reviews", "questions", "spam")} <= ids
    names: dict[str, set[str]] = {}
    for target, name in links:
        names.setdefault(text_of(name), set()).add(target)
    assert [name for name, targets in names.items() if len(targets) > 1] == []


def test_regions_have_names_of_their_own(page: str) -> None:
    names = re.findall(r'<(?:div|pre)[^>]* role="region"[^>]* aria-label="([^"]+)"', page)
    assert len(names) == len(set(names)) == 1 + 3 * 6


def test_the_study_and_the_encoders_come_last_and_only_if_they_ran(page: str) -> None:
    assert "by number of labels" not in page
    assert "Pretrained encoders" not in page
    full = page_html(
        TEMPLATE_TEXTS,
        "T",
        three_tasks(),
        worst=1,
        transfer=make_study(),
        encoders=[pretraining(), pretraining("next")],
    )
    headings = re.findall(r'<h2 id="([^"]+)"', full)
    assert headings[3:] == ["task-spam", "transfer-reviews", "encoders"]
    assert {*headings} <= {*re.findall(r'<a href="#([^"]+)"', full)}
    assert "below chance" not in full
    poor = pretraining()
    poor["best"]["pair_accuracy"] = 0.5
    assert "0.500 below chance" in text_of(page_html(TEMPLATE_TEXTS, "T", [], worst=1, encoders=[poor]))


def test_pictures_and_tables_are_named_for_screen_readers(page: str) -> None:
    images = re.findall(r"<svg[^>]*>(.{0,18})", page)
    hidden = re.findall(r'<svg[^>]*aria-hidden="true"[^>]*>', page)
    assert sum(start.startswith("<title>") for start in images) + len(hidden) == len(images)
    assert page.count("<caption") == page.count("<table")
    assert not re.search(r"<th(?! scope=)[ >]", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_every_open_element_is_closed(page: str) -> None:
    class Balance(HTMLParser):
        open: list[str] = []  # noqa: RUF012 - one parser, one page

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
            if tag not in ("meta", "link"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(page)
    assert parser.open == []


def text_of(page: str) -> str:
    """Return the words of a page with single blanks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_the_page_reports_the_results(page: str) -> None:
    words = text_of(page)
    assert "reviews fine-tuned 1,086 0.868 [0.848, 0.888] 0.790 +7.8 [+5.2, +10.4] < 0.001 0.829 +3.9" in words
    assert "spam TF-IDF 558 0.978 [0.959, 0.999] 0.991 −1.2 [−2.2, −0.3] 0.012 0.985" in words
    assert "Take TF-IDF + logistic regression: neither fine-tuning nor the probe (+0.4 points, p = 1.000)" in words
    assert "TF-IDF + logistic regression 0.790 [0.770, 0.810] +7.8 [+5.2, +10.4] < 0.001 0.781" in words
    assert "negative taken for positive (66, 0.123 of its rows)" in words
    assert "Few test rows nearly repeat a train row warning failed at most 0.02 0.0341 37 214, 988, 1003" in words
    assert "correct t.csv" in words
    assert "the processor has no bf16 instructions" in words
    assert "first lines: 119, 1240, 3307, 5010, 5011" in words
    assert "Best step 398 (epoch 1.50)" in words
    assert "95% confidence intervals" in words
    assert "3 of 10,640 examples are suspicious: 2 by their label, 1 by a near duplicate" in words
    assert "nearly equal texts with another label: line 7, 1999 ; train, line 1204" in words
    assert "with confidence 0.998, line 301, 0000000000000000" in words
    assert "line,id,label,predicted,correction 301,0000000000000000,negative,positive," in words
    assert "raw/minilm, fp32 on cpu, torch 2.0" in words
    assert "Parameters metric: macro_f1, lora: None, seed: 0" in words
    assert f"source/spam.tsv sha256 {hashlib.sha256(b'spam').hexdigest()}" in words


def test_the_page_shows_what_calibration_and_a_decision_do_on_test(page: str) -> None:
    words = text_of(page)
    assert "Log loss 0.346 [0.326, 0.366] 0.331 [0.311, 0.351] Brier score" in words
    assert "divided by 0.750" in words
    assert "−0.015 [−0.019, −0.011]" in words
    assert "is answered from" not in words
    task = make_task()
    task.evaluation["decision"] = decision("positive")
    words = text_of(page_html(TEMPLATE_TEXTS, "T", [task], worst=1))
    assert "positive is answered from a probability of 0.234 on: precision 0.891 [0.871, 0.911], recall 0.972" in words
    assert "below a probability of 0.612 is unsure: the share of sure ones is 0.913 [0.893, 0.933], their" in words


def test_the_page_says_to_how_many_rows_the_baselines_were_fitted_if_not_to_all(page: str) -> None:
    task = make_task()
    task.evaluation["sample"] = "fitted to 50,000 of 8,000,000 train rows"
    assert "The baselines are fitted to 50,000 of 8,000,000 train rows." in text_of(
        page_html(TEMPLATE_TEXTS, "T", [task], worst=1)
    )
    assert "The baselines are fitted" not in text_of(page)


def test_numbers_are_red_or_green_only_if_they_are_proven(page: str) -> None:
    overview = page.partition('id="task-reviews"')[0]
    assert re.findall(r'<span class="(good|bad|plain)">([+−][0-9.]+)<', overview) == [
        ("good", "+7.8"), ("good", "+3.9"), ("plain", "+0.8"), ("plain", "+0.4"), ("bad", "−1.2"), ("plain", "−0.6"),
    ]  # fmt: skip


def test_only_as_many_errors_as_asked_for_are_shown() -> None:
    task = make_task(texts=("the first", "the second", "the third"))
    assert [
        text in page_html(TEMPLATE_TEXTS, "T", [task], worst=2) for text in ("the first", "the second", "the third")
    ] == [
        True,
        True,
        False,
    ]
    assert "None are kept." in page_html(TEMPLATE_TEXTS, "T", [task], worst=0)


def test_long_texts_are_cut() -> None:
    page = page_html(TEMPLATE_TEXTS, "T", [make_task(texts=("w" * 5000,))], worst=1)
    assert "w" * 399 + "…" in page
    assert "w" * 400 not in page


def test_a_missing_template_is_named() -> None:
    texts = {name: text for name, text in TEMPLATE_TEXTS.items() if name != "task.html"}
    with pytest.raises(TemplateNotFound, match=r"task\.html"):
        page_html(texts, "T", [make_task()], worst=1)


def test_the_templates_are_what_is_rendered() -> None:
    texts = TEMPLATE_TEXTS | {"page.html": "{{ title }}{% include 'charts.css' %}", "charts.css": "&"}
    assert page_html(texts, "<b>", [], worst=1) == "&lt;b&gt;&"


@pytest.mark.parametrize("reason", [None, "one class only"])
def test_missing_numbers_are_shown_as_missing(reason: str | None) -> None:
    task, missing = make_task(), {"value": None, "low": None, "high": None, "reason": reason}
    model = task.evaluation["model"]
    for key in ("accuracy", "macro_f1", "log_loss", "brier", "ece"):
        model[key] = missing
    for row in model["classes"]:
        row.update(precision=None, recall=None, f1=None)
    task.evaluation["comparisons"] = [unmeasured(name, reason) for name in ("tfidf", "probe", "majority")]
    task.evaluation["slices"] = [
        {"slice": "length", "value": "1", "rows": 20, "accuracy": missing, "macro_f1": missing}
    ]
    task.evaluation["worst"] = []
    words = text_of(page_html(TEMPLATE_TEXTS, "T", [task], worst=3))
    assert "None can be chosen" in words
    assert ("one class only" in words) == (reason is not None)


@pytest.mark.parametrize("break_document", [
    lambda evaluation: evaluation["baselines"].pop("tfidf"),
    lambda evaluation: evaluation["baselines"].pop("probe"),
    lambda evaluation: evaluation["comparisons"].pop(0),
    lambda evaluation: evaluation["comparisons"][2].pop("mcnemar"),
    lambda evaluation: evaluation["comparisons"][2]["mcnemar"].pop("p_value"),
    lambda evaluation: evaluation.pop("probe_over_tfidf"),
    lambda evaluation: evaluation.pop("calibration"),
    lambda evaluation: evaluation.pop("decision"),
    lambda evaluation: evaluation["worst"][0].pop("line"),
])  # fmt: skip
def test_what_evaluate_always_writes_is_not_made_up(break_document: Callable[[Document], object]) -> None:
    task = make_task()
    break_document(task.evaluation)
    with pytest.raises((KeyError, TypeError, UndefinedError)):
        page_html(TEMPLATE_TEXTS, "T", [task], worst=1)


def test_a_flawless_model_has_no_confusions() -> None:
    page = page_html(TEMPLATE_TEXTS, "T", [make_task(matrix=((10, 0), (0, 10)))], worst=3)
    assert "No errors." in page


def test_tasks_of_several_kinds_share_the_overview_by_general_words() -> None:
    error = Metric("rmse", "RMSE", -1, "number")
    other = make_task("ratings")
    for numbers in (other.evaluation["model"], *other.evaluation["baselines"].values()):
        numbers["rmse"] = {"value": 1.5, "low": 1.25, "high": 1.75, "reason": None}
    gap = {"difference": -0.25, "low": -0.4, "high": -0.1, "reason": None, "p_value": 0.002}
    for comparison in (*other.evaluation["comparisons"], other.evaluation["probe_over_tfidf"]):
        comparison |= {"rmse": gap, "mcnemar": None}
    other.evaluation["slices"] = []
    page = PAGE._replace(metrics=(error, *PAGE.metrics))
    html = page_html(TEMPLATE_TEXTS, "T", [make_task(), other._replace(page=page)], worst=1)
    overview = text_of(html.partition('id="task-reviews"')[0])
    assert "Metric on the test split; gains of shares in points, 0.01 of a share each" in overview
    assert "RMSE 1.500 [1.250, 1.750]" in overview
    assert "−0.250 [−0.400, −0.100]" in overview
    assert '<span class="good">−0.250</span>' in html
    assert "McNemar's test or a paired bootstrap" in overview
    assert "RMSE ↓" in text_of(html)


def test_no_task_gives_a_page_too() -> None:
    assert "0 tasks" in page_html(TEMPLATE_TEXTS, "T", [], worst=3)


# ------------------------------------------------------------------------------------------------ features
def test_the_page_shows_the_features() -> None:
    task = make_task()
    words = text_of(page_html(TEMPLATE_TEXTS, "T", [task], worst=3))
    assert f"{len(task.projection['points'])} of 1,086 test examples" in words
    assert "384 numbers" in words
    near = task.projection["neighbours"]
    assert words.count("A short text of train") == len(near) == 2
    task.projection["neighbours"] = []
    assert "None are kept." in text_of(page_html(TEMPLATE_TEXTS, "T", [task], worst=3))


# ------------------------------------------------------------------------------------------------ browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser chromium to lay the page out")
def test_nothing_is_wider_than_a_phone_and_links_open_folds(tmp_path: Path) -> None:
    long = make_task("long", ("A" * 300, "b" * 80), texts=("w" * 390,))
    (tmp_path / "page.html").write_text(
        page_html(TEMPLATE_TEXTS, "T" * 200, [*three_tasks(), long], worst=5), encoding="utf-8"
    )
    frame = (
        '<iframe src="page.html#errors-spam" style="width:390px;height:800px" '
        'onload="const e = contentDocument.documentElement;'
        "const seen = ['errors', 'suspects'].map(part => +e.querySelector(`#${part}-spam`).checkVisibility());"
        "document.title = [e.clientWidth, e.scrollWidth, e.querySelectorAll('svg').length, ...seen].join()\"></iframe>"
    )
    (tmp_path / "frame.html").write_text(frame, encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --allow-file-access-from-files --hide-scrollbars --dump-dom"
    browser = subprocess.run(
        ["chromium", *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    (title,) = re.findall(r"<title>(.*?)</title>", browser.stdout)
    visible_width, needed, pictures, *seen = map(int, title.split(","))
    assert (visible_width, needed) == (390, 390)
    assert pictures > 16
    assert seen == [1, 0]  # a link into a fold opens it
