from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.predict.questions import deal_tokens


@given(st.lists(st.lists(st.integers(10, 99), max_size=8), max_size=12))
def test_dealt_rows_keep_lengths_tokens_and_special_tokens(texts):
    rows = [[2, *text, 3] for text in texts]
    dealt = deal_tokens(rows)
    assert list(map(len, dealt)) == list(map(len, rows))
    assert all((row[0], row[-1]) == (2, 3) for row in dealt)
    assert Counter(token for row in dealt for token in row) == Counter(token for row in rows for token in row)


def test_rows_of_one_token_and_without_special_tokens_keep_their_lengths():
    assert deal_tokens([[5], [5]]) == [[5], [5]]
    assert sorted(map(len, deal_tokens([[1, 2, 3], [4], [6, 7]]))) == [1, 2, 3]
    assert deal_tokens([]) == []


def test_no_text_is_left_whole():
    rows = [[2, *range(10 * at, 10 * at + 9), 3] for at in range(1, 50)]
    assert not any(row in rows for row in deal_tokens(rows))
