import hashlib
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.text import CONTROLS, count_words, is_empty, normalise, text_id, text_key, word_pattern


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  plain \n", "plain"),
        ("cafe\u0301", "caf\u00e9"),
        ("don\x92t", "don t"),
        ("a\x00b\x1fc", "a b c"),
        ("in\u200bside\ufeff", "in side"),
        ("tab\tand\nline\r\nstay", "tab\tand\nline\r\nstay"),
        ("\u202eturned", "turned"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_normalise_gives_one_spelling_and_no_invisible_characters(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@given(st.text())
def test_normalise_is_idempotent_in_nfc_and_free_of_controls(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert CONTROLS.search(once) is None
    assert once == once.strip()


def test_controls_are_the_c0_and_c1_characters_but_tab_and_line_ends() -> None:
    found = set(CONTROLS.findall("".join(map(chr, range(0x110000)))))
    assert {chr(code) for code in range(256) if unicodedata.category(chr(code)) == "Cc"} - found == set("\t\n\r")
    assert {unicodedata.category(character) for character in found} <= {"Cc", "Cf", "Cn"}


@pytest.mark.parametrize("text", ["", " ", "\u00a0\u3000", "\u200d", "\u00ad", "\t\n", "\u2028"])
def test_a_text_without_a_visible_character_is_empty(text: str) -> None:
    assert is_empty(text)


@pytest.mark.parametrize("text", ["a", ".", "👍", "\ue000", "\U0001fae8", " 漢 "])
def test_a_text_with_a_visible_character_is_not_empty(text: str) -> None:
    assert not is_empty(text)


@pytest.mark.parametrize("other", ["STRASSE  nach\tRom", " straße nach Rom ", "Stra\u00dfe\nnach ROM"])
def test_texts_equal_up_to_case_and_space_share_a_key(other: str) -> None:
    assert text_key(normalise(other)) == text_key("Straße nach Rom")


@given(st.text(), st.text(alphabet=" \t\n", min_size=1))
def test_the_key_has_no_double_or_outer_blanks_and_ignores_added_ones(text: str, blanks: str) -> None:
    once = text_key(normalise(text))
    assert once == " ".join(once.split())
    assert text_key(blanks + normalise(text) + blanks) == once
    assert unicodedata.is_normalized("NFC", once)


def test_the_id_is_stable_and_names_the_key() -> None:
    assert text_id("good film") == "952317a5f018c671" == hashlib.sha256(b"good film").hexdigest()[:16]


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
