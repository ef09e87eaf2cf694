import numpy as np
import pytest

from pipeline.inspection.suspects import Suspect, find_mislabelled, find_outliers, measure_distances, rank_suspects


def planted(rows: int, classes: int, *, share: float, seed: int):
    """Return labels of which a share is wrong, probabilities of a decent model, and where the wrong ones are."""
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, rows)
    probabilities = random.dirichlet(np.ones(classes), rows) * 0.3
    probabilities[np.arange(rows), true] += 0.7
    wrong = random.random(rows) < share
    labels = np.where(wrong, (true + random.integers(1, classes, rows)) % classes, true)
    return labels, probabilities, wrong


@pytest.mark.parametrize("classes", [2, 5])
def test_planted_labels_are_reported(classes):
    labels, probabilities, wrong = planted(2000, classes, share=0.05, seed=classes)
    reported = np.zeros(2000, bool)
    reported[find_mislabelled(labels, probabilities)] = True
    assert wrong[reported].mean() > 0.8
    assert reported[wrong].mean() > 0.5  # confident learning is cautious


def test_right_labels_of_a_sure_model_are_not_reported():
    labels, probabilities, _ = planted(500, 3, share=0.0, seed=0)
    assert find_mislabelled(labels, probabilities).tolist() == []


def test_classes_without_examples_play_no_part():
    labels, probabilities, _ = planted(500, 2, share=0.1, seed=1)
    wide = np.insert(probabilities, 1, 0.0, axis=1)  # an empty class between the two
    assert find_mislabelled(labels * 2, wide).tolist() == find_mislabelled(labels, probabilities).tolist()
    assert find_mislabelled(np.zeros(4, np.int64), np.ones((4, 1))).tolist() == []


def test_a_row_without_any_probability_is_no_error():
    labels, probabilities, _ = planted(200, 2, share=0.1, seed=2)
    probabilities[7] = 0.0
    assert set(find_mislabelled(labels, probabilities)) <= set(range(200))


def test_the_mean_distance_to_the_nearest_others():
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 2], [-1, 0]], np.float32)
    everything = np.arange(5)
    assert measure_distances(vectors, neighbours=1, reference=everything).tolist() == [0, 0, 0, 0, 1]
    assert measure_distances(vectors, neighbours=2, reference=everything).tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]
    # The last is not in the sample, and is compared with it alone.
    assert measure_distances(vectors, neighbours=2, reference=np.array([0, 1, 2])).tolist() == [0.5, 0.5, 1, 0.5, 1.5]
    # Fewer others than wanted.
    assert measure_distances(vectors[:2], neighbours=9, reference=np.array([0, 1])).tolist() == [0, 0]


def test_distances_agree_with_the_plain_formula():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 8)).astype(np.float32)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    plain = np.sort(1 - units @ units.T, axis=1)[:, 1:6].mean(axis=1)
    assert np.allclose(measure_distances(vectors, neighbours=5, reference=np.arange(60)), plain, atol=2e-5)


def test_only_far_out_distances_are_outliers():
    distances = np.array([*np.linspace(0.1, 0.2, 99), 0.9])
    assert find_outliers(distances, fence=3.0).tolist() == [99]
    assert find_outliers(np.full(10, 0.3), fence=3.0).tolist() == []


def test_suspects_say_why_and_the_least_probable_label_is_first():
    classes = np.array([0, 0, 1, 1, 1, 0] * 20)
    probabilities = np.where(classes[:, None] == [0, 1], 0.9, 0.1)
    probabilities[4] = [0.99, 0.01]  # most probably the other class
    distances = np.full(120, 0.1)
    distances[9] = 0.8
    suspects = rank_suspects(classes, probabilities, [(0, 1), (1, 2), (4, 5)], distances, fence=3.0)
    assert suspects == [
        Suspect(4, ("label", "duplicate"), pytest.approx(0.01), 0, (5,)),
        Suspect(1, ("duplicate",), pytest.approx(0.9), None, (2,)),
        Suspect(2, ("duplicate",), pytest.approx(0.9), None, (1,)),
        Suspect(5, ("duplicate",), pytest.approx(0.9), None, (4,)),
        Suspect(9, ("outlier",), pytest.approx(0.9), None, ()),
    ]
