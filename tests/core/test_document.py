"""JSON documents: what is said of one that is not as its schema."""

import pytest
from pydantic import ValidationError

from pipeline.core.document import Strict, describe_mismatch


class Inner(Strict):
    """A document in a document."""

    count: int


class Outer(Strict):
    """The document."""

    inner: tuple[Inner, ...]


@pytest.mark.parametrize(
    ("text", "above", "place"),
    [
        ('{"inner": [{"count": 1}, {"count": "x"}]}', (), "inner.1.count"),
        ('{"inner": [{"count": "x"}]}', ("extract", "reviews"), "extract.reviews.inner.0.count"),
        ('{"inner": [], "other": 1}', (), "other"),
        ("[", (), "document"),
        ("[", ("extract",), "extract"),
    ],
)
def test_a_mismatch_is_said_with_its_place_and_without_the_value(text, above, place):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate_json(text)
    said = describe_mismatch(caught.value, *above)
    assert said.startswith(f"{place}: ")
    assert "'x'" not in said
