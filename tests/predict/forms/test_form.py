import pytest

from pipeline.core.stage import load_facet
from pipeline.predict.forms.form import adapt_answers, list_form
from pipeline.predict.forms.pairs import PAIR_QUESTIONS

ANSWERS = load_facet("text-classification", "answers")


@pytest.mark.parametrize(
    ("config", "form"),
    [
        ({"model_type": "bert"}, {}),
        ({"reads_pairs": True, "pad_token_id": 0}, {"reads_pairs": True}),
        ({"reads_windows": 0}, {"reads_windows": 0}),
        ({"reads_pairs": False, "reads_windows": None}, {}),
    ],
)
def test_the_keys_that_say_how_texts_are_read(config, form):
    assert list_form(config) == form


def test_answers_follow_the_form():
    plain, pairs, windows = (adapt_answers(ANSWERS, own) for own in ({}, {"reads_pairs": True}, {"reads_windows": 0}))
    assert plain == ANSWERS
    assert pairs == ANSWERS._replace(questions=PAIR_QUESTIONS)
    assert (windows.questions.fields, windows.questions.of_text) == ({"text": "text"}, ANSWERS.questions.of_text)
    assert windows.join != ANSWERS.join
