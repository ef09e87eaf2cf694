"""The normal form of texts: one spelling, no invisible characters, a key that equal texts share; and their words."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping

# C0 and C1 except tab and line ends; zero width space, word joiners and BOM; marks that turn the writing direction.
# The zero-width joiners U+200C and U+200D stay: Persian, the Indic scripts and emoji are spelled with them.
CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
SURROGATES = re.compile("[\ud800-\udfff]")
# Controls that no program writes: they are the quotes, dashes and the euro of Windows-1252, read as Latin-1.
_MISREAD = re.compile("[\x80-\x84\x86-\x9f]")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})


def normalise(text: str) -> str:
    """Return `text` in NFC, each control or zero-width character a blank, without white space at the ends."""
    return unicodedata.normalize("NFC", CONTROLS.sub(" ", text)).strip()


# The changes of `normalise` by name, and whether each touches a text; `misread` is a part of `controls`.
CHANGES: Mapping[str, Callable[[str], bool]] = {
    "trimmed": lambda text: text != text.strip(),
    "normalised": lambda text: not unicodedata.is_normalized("NFC", text),
    "controls": lambda text: CONTROLS.search(text) is not None,
    "misread": lambda text: _MISREAD.search(text) is not None,
}


def is_empty(text: str) -> bool:
    """Return whether `text` has no visible character: only white space, controls and format characters."""
    return all(unicodedata.category(character) in _INVISIBLE for character in text)


def text_key(text: str) -> str:
    """Return what equal texts share: a normalised text without case, runs of white space one blank, again in NFC.

    Source: The Unicode Standard 15.0, section 3.13, default caseless matching (full case folding).
    """
    return unicodedata.normalize("NFC", " ".join(text.casefold().split()))


def text_id(key: str) -> str:
    """Return the id of a text: the first 8 bytes of the SHA-256 of its key, 16 hexadecimal digits."""
    return hashlib.sha256(key.encode()).digest()[:8].hex()


# Words are the unit of TF-IDF's features, and of a text's length.
# Letters of scripts that put no blanks between words: Thai, Lao, Myanmar, Khmer, Hiragana, Katakana, Han.
# Source: Unicode Standard Annex 14 (line breaking), classes SA and ID.
_UNSPACED = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u1000-\u102a\u1050-\u1055\u1780-\u17b3"
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_UNSPACED_LETTER = re.compile(f"[{_UNSPACED}]")
# Their punctuation, which has no blanks around it, and the vowels and tones of Thai and its neighbours.
_NO_LETTER = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff65]")


def count_words(text: str) -> int:
    """Return the length of a text in words: runs between blanks, and each letter of a script without blanks alone.

    So a Chinese or Thai text is counted in letters, and a text of any other script as blanks divide it.
    """
    if text.isascii():
        return len(text.split())
    rest, letters = _UNSPACED_LETTER.subn(" ", text)
    return letters + len(_NO_LETTER.sub(" ", rest).split())


def word_pattern() -> str:
    """Return the regular expression of a word: two letters, digits or underscores or more, with their marks.

    It is scikit-learn's, but for marks: the vowel signs of Hindi and the accents of a decomposed letter cut no word,
    and neither do the joiners within Persian and Indic words.
    """
    return rf"[\w\u200c\u200d{''.join(_mark_ranges())}]{{2,}}"


def _mark_ranges() -> Iterator[str]:
    """Yield the ranges of the combining marks of Unicode."""
    start = None
    for code in range(0x300, 0x20000):
        mark = unicodedata.category(chr(code))[0] == "M"
        if mark and start is None:
            start = code
        elif not mark and start is not None:
            yield f"{chr(start)}-{chr(code - 1)}"
            start = None
