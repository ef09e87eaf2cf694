"""The page: it loads nothing from elsewhere, takes no text for markup, and works in a browser."""

import re
import subprocess
from html.parser import HTMLParser

import pytest

from pipeline.answer.page import FILES_OF_PAGE, PAGE_FOLDER
from pipeline.settings.shared.text_forms import READS_PAIRS
from tests.given.answering import answering
from tests.given.browser import CHROMIUM, browsing
from tests.given.bundles import make_bundle
from tests.given.neighbours import TRAIN
from tests.given.projects import until

PHONE = 390
ASK = """
document.getElementById("text").value = "the <b>very</b> bad film";
document.getElementById("form").requestSubmit();
"""


class Links(HTMLParser):
    """The addresses of a page, and its inline code."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the signature
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("path", FILES_OF_PAGE)
def test_a_file_is_sent_under_a_strict_policy(served, path):
    name, kind = FILES_OF_PAGE[path]
    response = served.client.get(path)
    assert response.content == (PAGE_FOLDER / name).read_bytes()
    assert response.headers["Content-Type"].partition(";")[0] == kind
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(served):
    for name in ("page.html", "docs.html"):
        links = Links()
        links.feed((PAGE_FOLDER / name).read_text(encoding="utf-8"))
        assert links.inline == []
        for address in links.addresses:
            assert address == "data:," or served.client.get(f"/{address}").status_code == 200


def test_no_script_makes_markup_of_text():
    for path in PAGE_FOLDER.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text("utf-8"))


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
@pytest.mark.parametrize(("path", "shown"), [("/", "films: fp32, version"), ("/docs", "POST /v1/predict")])
def test_a_browser_shows_what_the_server_says(served, tmp_path, path, shown):
    words = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=5000", "--dump-dom", f"{served.url}{path}",
    ]  # fmt: skip
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    assert shown in done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
def test_a_pair_has_a_field_for_each_text(tmp_path):
    pairs = make_bundle(tmp_path / "pairs", form={READS_PAIRS: True})
    with answering(pairs) as server, browsing(server.url, tmp_path / "browser", width=PHONE) as page:
        until(lambda: page.run("document.getElementById('question-row')?.hidden") is False)
        assert page.run("document.getElementById('question-label').innerText") == "Second text"
        page.run("document.getElementById('question').value = 'good\\ngood good'")
        page.run(ASK)
        until(lambda: page.run("document.querySelector('#answer .label')?.innerText.split(' ')[0]") == "good")
        assert page.run("document.documentElement.scrollWidth") == PHONE


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
def test_a_phone_shows_training_texts_as_text(shown, tmp_path):
    with browsing(shown.url, tmp_path / "browser", width=PHONE) as page:
        until(lambda: page.run("document.getElementById('model')?.options.length") == 1)
        page.run(ASK)
        until(lambda: page.run("document.querySelectorAll('#near li').length") == len(TRAIN))
        assert page.run("document.getElementById('near').innerText").count(TRAIN[2]) == 1
        assert page.run("document.querySelectorAll('#near script, #answer b').length") == 0
        assert page.run("document.documentElement.scrollWidth") == PHONE
