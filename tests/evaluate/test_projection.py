import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity

from pipeline.core.document import json_text
from pipeline.evaluate.projection import (
    EmbeddedExamples,
    choose_queries,
    describe_projection,
    find_neighbours,
    project,
    sample_rows,
    select_vectors,
)

RNG = np.random.default_rng(0)
VECTORS = (RNG.normal(size=(60, 8)) * np.arange(1, 9)).astype(np.float32)
numbers = st.floats(-100, 100, width=32)


def test_the_plane_is_that_of_scikit_learn_but_for_the_side() -> None:
    stock = PCA(n_components=2, svd_solver="full").fit(VECTORS.astype(np.float64))
    found = project(VECTORS)
    assert found.explained == pytest.approx(stock.explained_variance_ratio_, rel=1e-6)
    expected = stock.transform(VECTORS.astype(np.float64))
    sides = np.sign((found.points * expected).sum(axis=0))
    assert found.points == pytest.approx(expected * sides, abs=1e-4)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=numbers))
def test_any_vectors_have_a_plane_that_is_always_the_same(vectors) -> None:
    found = project(vectors)
    assert found.points.shape == (len(vectors), 2)
    assert np.isfinite(found.points).all()
    assert found.points.mean(axis=0) == pytest.approx([0, 0], abs=1e-3)
    assert 0 <= found.explained[1] <= found.explained[0] + 1e-9 <= 1 + 2e-9
    assert found.points.tobytes() == project(vectors.copy()).points.tobytes()


def test_the_side_does_not_depend_on_the_order_of_the_rows() -> None:
    order = RNG.permutation(len(VECTORS))
    assert project(VECTORS[order]).points == pytest.approx(project(VECTORS).points[order], abs=1e-6)


def test_what_does_not_vary_lies_at_zero() -> None:
    assert project(np.ones((4, 3), np.float32)) == (pytest.approx(np.zeros((4, 2))), (0.0, 0.0))
    assert project(np.empty((0, 3), np.float32)).points.shape == (0, 2)


@given(st.integers(1, 9), st.integers(1, 7))
def test_neighbours_are_those_of_scikit_learn_whatever_the_pieces(most: int, size: int) -> None:
    queries, others = VECTORS[:5], VECTORS[5:]
    positions = np.arange(len(others))
    pieces = [(positions[at : at + size], others[at : at + size]) for at in range(0, len(others), size)]
    expected = cosine_similarity(queries.astype(np.float64), others.astype(np.float64))
    found = find_neighbours(queries, pieces, most=most)
    for row, ones in enumerate(found):
        assert [one.position for one in ones] == np.argsort(-expected[row], kind="stable")[:most].tolist()
        assert [one.similarity for one in ones] == pytest.approx(np.sort(expected[row])[::-1][:most], abs=1e-6)


def test_of_equal_neighbours_the_first_is_nearer_and_zeros_are_like_nothing() -> None:
    alike = np.array([[0, 0], [2, 0], [1, 0]], np.float32)
    (found,) = find_neighbours(np.array([[3, 0]], np.float32), [(np.array([7, 4, 9]), alike)], most=3)
    assert found == [(4, 1.0), (9, 1.0), (7, 0.0)]


def test_rows_of_pieces_keep_their_positions() -> None:
    pieces = [(np.array([True, False]), VECTORS[:2]), (np.array([False, True, True]), VECTORS[2:5])]
    positions = np.concatenate([rows for rows, _ in select_vectors(pieces)])
    assert positions.tolist() == [0, 3, 4]
    assert (np.concatenate([part for _, part in select_vectors(pieces)]) == VECTORS[positions]).all()


@given(st.lists(st.text(max_size=5), max_size=30, unique=True), st.integers(0, 40), st.data())
def test_which_examples_are_drawn_depends_on_each_alone(ids: list[str], most: int, data) -> None:
    chosen = [ids[row] for row in sample_rows(ids, most)]
    assert len(chosen) == min(most, len(ids))
    assert chosen == [one for one in ids if one in set(chosen)]
    turned = data.draw(st.permutations(ids))
    assert {turned[row] for row in sample_rows(turned, most)} == set(chosen)
    fewer = [one for one in ids if one in set(chosen) or data.draw(st.booleans())]
    assert {fewer[row] for row in sample_rows(fewer, most)} == set(chosen)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=20), st.integers(0, 12))
def test_up_to_half_of_the_queries_are_the_surest_errors(rows, most: int) -> None:
    right = np.array([one for one, _ in rows], bool)
    sure = np.array([one for _, one in rows], float)
    found = choose_queries([str(at) for at in range(len(rows))], right, sure, most).tolist()
    assert len(found) == len(set(found)) == min(most, len(rows))
    wrong = [row for row in found if not right[row]]
    others = [row for row in np.flatnonzero(~right).tolist() if row not in wrong]
    assert all(sure[row] >= sure[other] for row in wrong for other in others)
    if right.sum() >= most // 2 and (~right).sum() >= (most + 1) // 2:
        assert len(wrong) == (most + 1) // 2


def test_the_document_is_small_strict_json() -> None:
    index = RNG.integers(2, size=60)
    test = EmbeddedExamples([f"{row}" for row in range(60)], ["text"] * 60, VECTORS, index, 1 - index)
    near = find_neighbours(VECTORS[:2], [(np.arange(60), VECTORS)], most=1)
    found = describe_projection(
        test,
        ["a", "b"],
        points=20,
        queries=np.arange(2),
        neighbours=near,
        text_and_label=lambda row: (f"train {row}", "b"),
    )
    assert json.loads(json_text(found)) == found
    assert (found["rows"], found["width"], len(found["points"])) == (60, 8, 20)
    assert all(-1 <= one[axis] <= 1 for one in found["points"] for axis in ("x", "y"))
    assert all(one["actual"] == 1 - one["predicted"] for one in found["points"])
    assert found["neighbours"][1]["nearest"] == [{"text": "train 1", "label": "b", "similarity": 1.0}]
    assert found["neighbours"][1]["label"] == "ab"[index[1]]
