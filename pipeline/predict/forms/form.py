"""The form in which a model reads texts, as its folder or its bundle says, and the answers that follow from it."""

from pipeline.core.document import Document
from pipeline.predict.forms.pairs import PAIR_QUESTIONS
from pipeline.predict.forms.windows import answer_by_windows
from pipeline.predict.kind import Answers
from pipeline.settings.shared.text_forms import READS_PAIRS, READS_WINDOWS


def list_form(config: Document) -> Document:
    """Return those keys of a configuration that say how texts are read; none if each is read at once."""
    pairs, stride = config.get(READS_PAIRS), config.get(READS_WINDOWS)
    return {**({READS_PAIRS: True} if pairs else {}), **({} if stride is None else {READS_WINDOWS: stride})}


def adapt_answers(answers: Answers, config: Document) -> Answers:
    """Return how a model of a kind answers, whose configuration or manifest has these keys."""
    form = list_form(config)
    if READS_PAIRS in form:
        return answers._replace(questions=PAIR_QUESTIONS)
    return answer_by_windows(answers, form[READS_WINDOWS]) if READS_WINDOWS in form else answers
