"""The normal form of texts: one spelling, no invisible characters, and a key that equal texts share."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping

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
