import pyarrow as pa

from pipeline.examples.pairs import second_texts, whole_texts


def test_the_text_of_a_pair_is_both_by_lines():
    single = pa.table({"text": ["a", None]})
    pairs = pa.table({"text": ["a", "b", None], "text_pair": ["x", None, "y"]})
    assert (second_texts(single), whole_texts(single)) == (None, ["a", None])
    assert (second_texts(pairs), whole_texts(pairs)) == (["x", None, "y"], ["a\nx", None, None])
