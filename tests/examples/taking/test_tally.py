import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.records import Part
from pipeline.examples.taking.tally import Tally
from pipeline.settings.fields import SPLITS, Split
from tests.given.ingesting import make_records

IDS = st.lists(st.text("0123456789abcdef", min_size=16, max_size=16), min_size=1, max_size=20)


def fill(tally: Tally, ids: list[str], labels: list[object], sides: list[Split], part: str = "") -> None:
    rows = make_records({}, range(1, len(ids) + 1))._replace(parts=(Part(part, len(ids)),))
    tally.keep(rows, ids=ids, sides=sides, dealt=["test"] * len(ids), labels=labels)


@given(IDS, st.data())
def test_rows_come_back_as_they_were_kept(ids: list[str], data: st.DataObject) -> None:
    sides: list[Split] = data.draw(st.lists(st.sampled_from(SPLITS), min_size=len(ids), max_size=len(ids)))
    tally = Tally()
    fill(tally, ids, [*ids], sides, "a")
    fill(tally, ids, [*ids], sides, "b")
    rows = tally.take_candidates("f", dealt=False)
    assert [f"{number:016x}" for number in rows.ids.tolist()] == ids * 2
    assert [SPLITS[side] for side in rows.sides] == sides * 2
    assert [tally.labels[code] for code in rows.labels] == ids * 2
    assert rows.places.places_of(range(len(ids) * 2)) == [
        f"{name}:{line}" for name in "ab" for line in range(1, len(ids) + 1)
    ]


def test_dealt_splits_are_kept_beside_the_given_ones() -> None:
    tally = Tally()
    fill(tally, ["0" * 16], ["x"], ["train"])
    assert [SPLITS[side] for side in tally.take_candidates("f", dealt=True).sides] == ["test"]


def test_labels_are_equal_however_many_there_are() -> None:
    count = 70_000
    tally = Tally()
    for _ in range(2):
        fill(tally, ["0" * 16] * count, [float(number) for number in range(count)], ["train"] * count)
    codes = tally.take_candidates("f", dealt=False).labels
    assert len(tally.labels) < 2 * count
    unified = tally.unify(codes)
    assert np.array_equal(unified[:count], unified[count:])
    assert len({*unified.tolist()}) == count


def test_counts_add_up_over_pieces() -> None:
    tally = Tally()
    for start in (1, 11):
        rows = make_records({}, range(start, start + 10))
        changed = {"trimmed": {"rows": 4, "lines": [start, start + 1, start + 2, start + 3]}}
        tally.count(rows, empty={0, 1}, removed={1, 2}, filled=5, changed=changed)
    assert (tally.rows, tally.empty, tally.removed, tally.unlabelled) == (20, 4, 2, 4)
    assert tally.changed == {"trimmed": {"rows": 8, "lines": [1, 2, 3, 4, 11]}}
    assert tally.parts == [Part("", 20)]
