"""The routes, asked over HTTP: answers, refusals, and several models in one process."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.given.answering import answering
from tests.given.bundles import LABELS, expected_probability
from tests.given.neighbours import TRAIN


def post(server, body: str) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return server.client.post("/v1/predict", content=body, headers=headers)


def test_texts_are_answered_in_order_with_the_version_of_the_model(served):
    texts = ["good film", "a very bad film", "the film"]
    response = served.predict(texts, all=True)
    assert response.status_code == 200
    content = response.json()
    (model,) = served.client.get("/v1/models").json()
    assert (content["model"], content["version"]) == (model["model"], model["version"])
    assert response.headers["X-Model-Version"] == model["version"]
    assert (model["labels"], model["backend"], model["max_length"]) == (list(LABELS), "fp32", 64)
    for text, answer in zip(texts, content["answers"], strict=True):
        good = expected_probability(text)
        assert answer["probabilities"]["good"] == pytest.approx(good, rel=1e-5)
        assert answer["label"] == ("good" if good > 0.5 else "bad")
        assert answer["unsure"] == (max(good, 1 - good) < 0.6)


def test_one_text_is_a_list_of_one_and_its_form_is_normal(served):
    one = served.predict("good film").json()["answers"]
    for same in (["good film"], "  good\u200bfilm\x00", "GOOD\tfilm\n"):
        assert served.predict(same).json()["answers"] == one
    assert set(one[0]) == {"label", "probability", "unsure"}


def test_rows_are_texts_by_the_name_of_their_field(served):
    (model,) = served.client.get("/v1/models").json()
    assert (model["kind"], model["takes"]) == ("text-classification", ["text"])
    answers = served.client.post("/v1/predict", json={"rows": [{"text": "good film"}]}).json()["answers"]
    assert answers == served.predict("good film").json()["answers"]


def test_the_shape_of_transformers(served):
    (answer,) = served.predict("good", all=True).json()["answers"]
    assert served.predict("good", shape="transformers").json() == [{"label": "good", "score": answer["probability"]}]
    ((best, rest),) = served.predict("good", shape="transformers", all=True).json()
    assert (best["label"], rest["label"]) == ("good", "bad")


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"texts": ["a", " \t"]}, 422, ["body", "texts", 1]),
        ({"texts": ["a", "b", "\ud800"]}, 422, ["body", "texts", 2]),
        ({}, 422, ["body", "texts"]),
        ({"texts": "a", "other": 1}, 422, ["body", "other"]),
        ({"texts": "a", "rows": [{"text": "a"}]}, 422, ["body", "rows"]),
        ({"rows": [{"text": "a"}, {"text": 1}]}, 422, ["body", "rows", 1, "text"]),
        ({"rows": [{"text": "\ud800"}]}, 422, ["body", "rows", 0, "text"]),
        ({"rows": [{"text": " "}]}, 422, ["body", "rows", 0, "text"]),
        ({"rows": [{"text": "a", "n": 1}]}, 422, ["body", "rows", 0, "n"]),
        ({"rows": [{"text": "a"}] * 1001}, 413, None),
        ({"texts": "a", "model": "none"}, 404, None),
        ({"texts": ["a"] * 1001}, 413, None),
    ],
)
def test_a_refusal_names_the_place(served, body, code, place):
    response = post(served, json.dumps(body))
    assert response.status_code == code
    detail = response.json()["detail"]
    assert isinstance(detail, str) if place is None else detail[0]["loc"] == place


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "601", "soon"])
def test_a_time_that_is_none_is_refused(served, seconds):
    assert served.predict("a", headers={"X-Timeout-Seconds": seconds}).status_code == 422


def test_what_comes_too_late_is_504_and_not_computed(slow):
    with answering(slow) as server:
        long = ["good film " * 30] * 500
        assert server.predict(long, headers={"X-Timeout-Seconds": "0.05"}).status_code == 504
        assert server.predict("good").status_code == 200
        assert server.metric("batch_texts_sum") < 500
        assert server.metric("dropped_total") == 1


def test_several_models_are_told_apart_by_their_names(films, slow):
    with answering(films, slow) as server:
        assert [model["model"] for model in server.client.get("/v1/models").json()] == ["films", "slow"]
        refused = server.predict("good")
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "model"])
        assert server.predict("good", model="slow").json()["model"] == "slow"
        assert server.predict("good", model="films").json()["model"] == "films"


def test_the_interface_has_its_paths_examples_and_refusals(served):
    document = served.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/predict", "/v1/neighbours", "/v1/models", "/health/live", "/health/ready", "/metrics",
    }  # fmt: skip
    responses = document["paths"]["/v1/predict"]["post"]["responses"]
    assert {"200", "401", "404", "408", "413", "422", "503", "504"} == set(responses)
    example = document["components"]["schemas"]["Question"]["examples"][0]
    assert served.client.post("/v1/predict", json=example).status_code == 200


def test_metrics_count_what_was_asked(served):
    before = served.metric("requests_total"), served.metric("batch_texts_sum")
    served.predict(["good", "bad"])
    served.client.get("/no/such/path")
    after = served.metric("requests_total"), served.metric("batch_texts_sum")
    assert (after[0] - before[0], after[1] - before[1]) == (4, 2)  # each metric is a request, too


def ask_neighbours(server, **question) -> httpx.Response:
    return server.client.post("/v1/neighbours", json=question)


def test_training_texts_are_shown_only_if_that_is_asked_for(served, shown):
    assert [server.client.get("/v1/models").json()[0]["neighbours"] for server in (served, shown)] == [False, True]
    assert ask_neighbours(served, text="good").status_code == 404
    near = {each["text"]: each for each in ask_neighbours(shown, text=TRAIN[2]).json()}
    assert len(near) == len(TRAIN)
    assert near[TRAIN[2]]["label"] == "bad"
    assert -1 <= near[TRAIN[2]]["similarity"] <= 1


@pytest.mark.parametrize(("question", "code"), [({"text": " "}, 422), ({}, 422), ({"text": "a", "model": "b"}, 404)])
def test_a_text_without_neighbours_is_refused(shown, question, code):
    assert ask_neighbours(shown, **question).status_code == code


def test_many_who_ask_for_neighbours_at_once_are_refused(shown):
    with ThreadPoolExecutor(16) as clients:
        answers = [*clients.map(lambda _: ask_neighbours(shown, text="a good film"), range(64))]
        assert shown.predict("good").status_code == 200
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 503} <= {"1"}
    assert ask_neighbours(shown, text="a good film").status_code == 200
