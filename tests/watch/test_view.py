import numpy as np
import pytest

from pipeline.predict.forms.pairs import PAIR_QUESTIONS, TextPair
from pipeline.predict.forms.windows import answer_by_windows
from pipeline.predict.predictor import load_predictor
from pipeline.watch.view import view_texts
from tests.given.exports import MAX_LENGTH, prepare_export

LONG = "good film " * MAX_LENGTH


@pytest.fixture(scope="module")
def predictor(shared):
    return load_predictor(prepare_export(shared).bundle, backend="fp32", threads=1)


def test_a_long_text_is_cut_and_in_windows_it_is_not(predictor, shared):
    windowed = answer_by_windows(predictor.answers, 4)
    tokenizer = windowed.questions.open(prepare_export(shared).bundle, MAX_LENGTH)
    texts, other = ["good film", LONG.strip(), "bad"], predictor._replace(answers=windowed, tokenizer=tokenizer)
    cut, whole = (view_texts(own, texts) for own in (predictor, other))
    assert (cut.cut.tolist(), whole.cut.tolist()) == ([False, True, False], [False] * 3)
    assert (cut.lengths[0], cut.lengths[1]) == (whole.lengths[0], MAX_LENGTH)
    assert whole.lengths[1] == sum(len(ids) for ids, owner in zip(*whole.prepared[1:3], strict=True) if owner == 1)
    assert whole.characters[1] >= len(LONG.replace(" ", "")) > cut.characters[1]
    assert whole.probabilities[[0, 2]] == pytest.approx(cut.probabilities[[0, 2]], abs=1e-5)
    assert whole.probabilities.sum(axis=1) == pytest.approx(np.ones(3))


def test_of_a_pair_both_texts_count(predictor):
    own = predictor._replace(answers=predictor.answers._replace(questions=PAIR_QUESTIONS))
    view = view_texts(own, [TextPair("good film", "bad"), TextPair("good", LONG.strip())])
    assert view.characters[0] == len("goodfilmbad")
    assert (view.cut.tolist(), view.lengths[1]) == ([False, True], MAX_LENGTH)
