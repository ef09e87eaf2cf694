"""The nearest training texts: shown only if that is asked for, as text, and to one person at a time."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.__main__ import main
from tests.given.answering import answering
from tests.given.browser import CHROMIUM, browsing
from tests.given.neighbours import TRAIN, write_embedded
from tests.given.projects import until

PHONE = 390
ASK = """
document.getElementById("text").value = "the <b>very</b> bad film";
document.getElementById("form").requestSubmit();
"""


@pytest.fixture(scope="module")
def shown(films, tmp_path_factory):
    project = write_embedded(tmp_path_factory.mktemp("embedded"), "films")
    with answering(films, "--neighbours", cwd=project) as server:
        yield server


def ask(server, **question):
    return server.client.post("/v1/neighbours", json=question)


def test_training_texts_are_shown_only_if_that_is_asked_for(served, shown):
    assert [server.client.get("/v1/models").json()[0]["neighbours"] for server in (served, shown)] == [False, True]
    assert ask(served, text="good").status_code == 404
    near = {each["text"]: each for each in ask(shown, text=TRAIN[2]).json()}
    assert len(near) == len(TRAIN)
    assert near[TRAIN[2]]["label"] == "bad"
    assert -1 <= near[TRAIN[2]]["similarity"] <= 1


@pytest.mark.parametrize(("question", "code"), [({"text": " "}, 422), ({}, 422), ({"text": "a", "model": "b"}, 404)])
def test_what_cannot_be_found_is_refused(shown, question, code):
    assert ask(shown, **question).status_code == code


def test_many_at_once_are_refused_and_all_others_answered(shown):
    with ThreadPoolExecutor(16) as clients:
        answers = [*clients.map(lambda _: ask(shown, text="a good film"), range(64))]
        assert shown.predict("good").status_code == 200
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 503} <= {"1"}
    assert ask(shown, text="a good film").status_code == 200


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
def test_a_phone_shows_them_as_text(shown, tmp_path):
    with browsing(shown.url, tmp_path / "browser", width=PHONE) as page:
        until(lambda: page.run("document.getElementById('model')?.options.length") == 1)
        page.run(ASK)
        until(lambda: page.run("document.querySelectorAll('#near li').length") == len(TRAIN))
        assert page.run("document.getElementById('near').innerText").count(TRAIN[2]) == 1
        assert page.run("document.querySelectorAll('#near script, #answer b').length") == 0
        assert page.run("document.documentElement.scrollWidth") == PHONE


def test_a_task_without_a_project_shows_none(films, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["answer", str(films), "--neighbours", "--port", "0"]) == 4
