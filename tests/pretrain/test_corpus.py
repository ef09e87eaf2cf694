"""The documents that the corpus admits: each once, clean, and nothing that a task is judged by."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.text import normalise, text_id, text_key
from pipeline.pretrain.corpus import AdmissionRules, admit


def admitted(documents, *, protected=(), held_out=0.3, salt="s", seen=None):
    counts = Counter()
    rules = AdmissionRules(frozenset(text_id(text_key(normalise(text))) for text in protected), held_out, salt)
    return list(admit(documents, "a", rules, seen=set() if seen is None else seen, counts=counts)), counts


def test_sentences_are_clean_and_counted():
    kept, counts = admitted([["A\x00b ", " \u200b ", "Cafe\u0301"], [""], ["other"], ["OTHER "]])
    assert [document.sentences for document in kept] == [["A b", "Caf\u00e9"], ["other"]]
    assert {name: counts[name] for name in ("documents", "sentences", "empty", "emptied", "repeated", "kept")} == {
        "documents": 4, "sentences": 6, "empty": 2, "emptied": 1, "repeated": 1, "kept": 3,
    }  # fmt: skip


def test_documents_of_an_earlier_source_count_as_seen():
    seen: set[int] = set()
    assert len(admitted([["x"], ["y"]], seen=seen)[0]) == 2
    assert [document.sentences for document in admitted([["Y"], ["z"]], seen=seen)[0]] == [["z"]]


@given(
    st.lists(st.lists(st.text("abC .\x00", max_size=4), max_size=4), max_size=8), st.sets(st.text("abC .", max_size=4))
)
def test_nothing_protected_is_admitted_in_any_spelling(documents, protected):
    kept, counts = admitted(documents, protected=protected)
    hidden = {text_key(normalise(text)) for text in protected}
    assert not hidden & {text_key(sentence) for document in kept for sentence in document.sentences} - {""}
    assert counts["kept"] + counts["empty"] + counts["protected"] >= counts["sentences"] - 4 * counts["repeated"]
    assert counts["train"] + counts["held_out"] == len(kept)


def test_what_is_held_out_depends_on_the_document_alone():
    documents = [[f"sentence {index}"] for index in range(1000)]
    sides = {document.id: document.split for document in admitted(documents)[0]}
    backwards = {document.id: document.split for document in admitted(documents[::-1][:500])[0]}
    assert all(sides[name] == side for name, side in backwards.items())
    assert 250 < sum(side == "held_out" for side in sides.values()) < 350
    assert sides != {document.id: document.split for document in admitted(documents, salt="t")[0]}
