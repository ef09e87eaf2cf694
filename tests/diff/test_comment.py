# Modules comment_task and document are tested here as well.
import html
import re

import cmarkgfm
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.document import json_text
from pipeline.core.errors import DataError
from pipeline.diff.comment import MOST_COMMENT_BYTES, render_comment
from pipeline.diff.document import (
    MOST_BYTES,
    Change,
    Curves,
    Difference,
    Example,
    Flips,
    Group,
    Judgement,
    MetricChange,
    SharedRows,
    Side,
    TaskDifference,
    read_difference,
)

TEXT = st.text(max_size=60) | st.sampled_from(
    ["<script>alert(1)</script>", "a|b", "@octocat", "#12", "](javascript:alert(1))", "![x](https://e.x/i.png)", "`",
     "\n# h", "</details>", "<!-- x", "&lt;img src=x onerror=alert(1)&gt;", "www.example.org", "https://example.org",
     ":tada:"]
)  # fmt: skip


ACCURACY = MetricChange(
    metric="accuracy",
    title="accuracy",
    unit="share",
    base=0.9,
    head=0.8,
    difference=-0.1,
    low=-0.2,
    high=0.0,
    p_value=0.01,
    p_worse=0.005,
)


def task(name="reviews", text="x", *, examples=2, groups=2, outcome="failed", notes=1) -> TaskDifference:
    """Return a task in which every text is `text`."""
    example = Example(id=text, line="b.csv:7", label=text, base=text, head=text)
    return TaskDifference(
        task=name,
        state="kept",
        outcome=outcome,
        paired=True,
        notes=(text,) * notes,
        metrics=(ACCURACY.model_copy(update={"title": text}),),
        gates=(
            Judgement(
                metric="accuracy", largest_drop=0.01, level=0.05, floor=None, sees=0.02, outcome=outcome, reason=text
            ),
        ),
        test=SharedRows(base=10, head=10, common=10, relabelled=0),
        flips=Flips(
            fixed=examples,
            broken=examples,
            p_value=0.5,
            mid_p=0.4,
            fixed_examples=(example,) * examples,
            broken_examples=(example,) * examples,
        ),
        groups=(Group(kind=text, value=text, rows=5, base=0.5, head=0.4, fixed=1, broken=2, p_value=1.0),) * groups,
        rows=(),
        findings=(Change(name=text, base=text, head=None),),
        curves=(Curves(calibration=(), learning=()),) * 2,
    )


def document(*tasks: TaskDifference, text="x", changes=1, left_out=0) -> Difference:
    change = (Change(name=text, base=text, head=text),) * changes
    return Difference(
        version=3,
        base=Side(name=text, commit="a" * 40),
        head=Side(name=text, commit=None),
        outcome="failed",
        confidence=0.95,
        tasks=tasks,
        parameters=change,
        packages=change,
        code=("finetune",),
        times=change,
        left_out=left_out,
    )


def rendered(markdown: str) -> str:
    return cmarkgfm.github_flavored_markdown_to_html(markdown, options=cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE)


def tags(page: str) -> dict[str, int]:
    return {tag: page.count(f"<{tag}") for tag in ("table", "tr", "td", "li", "details", "h3")}


QUIET = tags(rendered(render_comment(document(task()))))
GATES = QUIET | {"li": QUIET["li"] + 1}  # a parameter that is so called is said to be one


@settings(max_examples=150)
@given(TEXT)
@example("gates.")
@example("a.gates.<li>")
def test_no_text_does_anything_in_githubs_own_renderer(text):
    page = rendered(render_comment(document(task(text=text), text=text)))
    assert tags(page) == (GATES if text.startswith("gates.") or ".gates." in text else QUIET)
    assert {*re.findall(r"<([a-z0-9]+)", page)} <= {
        "h3", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "code",
        "sub",
    }  # fmt: skip
    shown = html.unescape(page)
    assert not re.search(r"@[a-z]|#\d|GH-\d|:[a-z]+:|www\.", shown)


@given(st.integers(0, 20), st.integers(0, 100), st.integers(0, 200), st.integers(1, 12))
@settings(max_examples=15)
def test_the_largest_document_fits_a_comment_and_says_what_it_left_out(examples, groups, changes, tasks):
    text = "<|@" * 60
    several = [task(f"t{at}", text, examples=examples, groups=groups) for at in range(tasks)]
    comment = render_comment(document(*several, text=text, changes=changes))
    assert len(comment.encode()) <= MOST_COMMENT_BYTES < 65_536
    assert comment.startswith("### ❌")
    assert comment.endswith("</sub>\n")
    assert comment.count("<details>") == comment.count("</details>")
    whole = comment.count("<details>") == tasks + 3 * bool(changes) + 1
    assert whole or "did not fit here" in comment


def test_what_the_document_left_out_is_counted():
    assert "7 tasks, parameters or packages" in render_comment(document(task(), left_out=7))
    assert "parameters or packages" not in render_comment(document(task()))


def test_a_document_survives_its_json():
    difference = document(task())
    assert read_difference(json_text(difference.model_dump(mode="json")).encode()) == difference


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Invalid JSON"),
        (b"\xff", "error"),
        (b"[]", "error(s)"),
        (b"{}", "Field required"),
        (b'{"version": NaN}', "error(s)"),
        (b" " * (MOST_BYTES + 1), "at most"),
    ],
)
def test_what_is_no_document_is_refused(content, message):
    with pytest.raises(DataError) as caught:
        read_difference(content)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("body", "@everyone"),
        ("outcome", "splendid"),
        ("confidence", 7),
        ("base", {"name": "x" * 201, "commit": None}),
        ("head", {"name": "x", "commit": "main"}),
        ("code", ["x"] * 101),
        ("code", ["<b>"]),
    ],
)
def test_a_document_says_only_what_its_classes_can_say(key, value):
    values = document(task()).model_dump(mode="json") | {key: value}
    with pytest.raises(DataError):
        read_difference(json_text(values).encode())


def test_the_error_shows_no_text_of_the_document():
    with pytest.raises(DataError) as caught:
        read_difference(b'{"version": "<script>"}')
    assert "<script>" not in str(caught.value)
