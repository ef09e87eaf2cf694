import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.words import count_words, word_pattern


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("two words", 2),
        ("a - b", 3),
        ("Straße über, café", 3),
        ("यह फिल्म बहुत अच्छी है", 5),
        ("我很喜欢这个东西", 8),
        ("我很喜欢，真的！", 6),
        ("我 用 Python 3", 4),
        ("这个iPhone很好", 5),
        ("きのうカメラを買った", 10),
        ("ดีมาก", 4),  # two of the five characters are vowel signs or tones above a letter; one stands alone
        ("한국어 문장", 2),
    ],
)
def test_words_are_counted_by_the_script(text: str, count: int) -> None:
    assert count_words(text) == count


@given(st.text(alphabet=st.characters(max_codepoint=0xDFF)))
def test_scripts_with_blanks_are_counted_by_them(text: str) -> None:
    assert count_words(text) == len(text.split())


@given(st.text(alphabet="我很喜ab ，。", max_size=20), st.text(alphabet="我很喜ab ，。", max_size=20))
def test_counts_of_texts_with_a_blank_between_add_up(left: str, right: str) -> None:
    assert count_words(f"{left} {right}") == count_words(left) + count_words(right)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF)))
def test_words_of_latin_texts_are_scikit_learns(text: str) -> None:
    assert re.findall(word_pattern(), text) == re.findall(r"(?u)\b\w\w+\b", text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("यह फिल्म बहुत अच्छी है", ["यह", "फिल्म", "बहुत", "अच्छी", "है"]),
        (
            unicodedata.normalize("NFD", "déjà vu, naïve"),
            [unicodedata.normalize("NFD", w) for w in ("déjà", "vu", "naïve")],
        ),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
    ],
)
def test_marks_and_joiners_cut_no_word(text: str, words: list[str]) -> None:
    assert re.findall(word_pattern(), text) == words
