"""Near duplicates on made-up texts: processor time and memory by the number of rows, and the pairs beside all pairs.

Usage: python -m benchmarks.duplicates [ROWS ...]; with `--alone KIND ROWS` a single case runs.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.feature_extraction.text import CountVectorizer

from benchmarks.table import publish
from benchmarks.turns import Figures, read_memory, run_alone
from pipeline.checks.near.duplicates import find_near_duplicates
from pipeline.core.format import markdown_table

SIMILARITY, SHINGLE = 0.85, 5  # those of params.yaml
SIZES = (1_000, 10_000, 100_000)
HELD_OUT, PLANTED = 0.2, 0.02  # shares: of the rows, of the held-out rows
MOST_ROWS_OF_ALL_PAIRS = 10_000
SYLLABLES = [*("ka", "ro", "mi", "ten", "sol", "ver", "da", "lin", "po", "gra"),
             *("shi", "bel", "tur", "nex", "fo", "wa", "que", "zi", "hal", "om")]  # fmt: skip


def make_words(count: int, rng: np.random.Generator) -> npt.NDArray[np.str_]:
    """Return invented words of two to four syllables."""
    words = {"".join(rng.choice(SYLLABLES, rng.integers(2, 5))) for _ in range(2 * count)}
    return np.array(sorted(words))[:count]


def make_plain(rows: int, rng: np.random.Generator) -> list[str]:
    """Return sentences of 6 to 15 of 40,000 words, as frequent as Zipf says."""
    words = make_words(40_000, rng)
    shares = 1 / np.arange(1, len(words) + 1)
    lengths = rng.integers(6, 16, rows)
    drawn = rng.choice(rng.permutation(words), lengths.sum(), p=shares / shares.sum())
    return [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]


def make_templated(rows: int, rng: np.random.Generator) -> list[str]:
    """Return tickets: a template around a number and four of 2,000 words, so that any two are 0.6 to 0.8 alike."""
    words = make_words(2_000, rng)[rng.integers(2_000, size=(rows, 4))]
    return [
        f"ticket {number:06d}: the user {name} {surname} reports that the service {service} does not answer to the "
        f"request of {other}, please restart it"
        for number, (name, surname, service, other) in zip(rng.integers(10**6, size=rows), words, strict=True)
    ]


def make_narrow(rows: int, rng: np.random.Generator) -> list[str]:
    """Return texts of a template around three of 100 words: a worst case, since no shingle is rare."""
    words = make_words(100, rng)[rng.integers(100, size=(rows, 3))]
    return [f"the user {one} reports that {two} does not answer to {three}" for one, two, three in words]


KINDS: dict[str, Callable[[int, np.random.Generator], list[str]]] = {
    "plain": make_plain,
    "templated": make_templated,
    "narrow": make_narrow,
}


def make_splits(kind: str, rows: int) -> tuple[list[str], list[str], list[int]]:
    """Return train and held-out texts without repeats, and the positions of those that are a train text and an `s`."""
    rng = np.random.default_rng(0)
    texts = list(dict.fromkeys(KINDS[kind](rows, rng)))
    held_out, train = texts[: int(HELD_OUT * len(texts))], texts[int(HELD_OUT * len(texts)) :]
    planted = sorted(rng.choice(len(held_out), int(PLANTED * len(held_out)), replace=False).tolist())
    for position in planted:
        held_out[position] = f"{train[rng.integers(len(train))]}s"
    return train, held_out, planted


def compare_all_pairs(train: Sequence[str], held_out: Sequence[str]) -> list[int]:
    """Return the positions of the held-out texts with a near duplicate, from the similarity of every pair."""
    runs = CountVectorizer(binary=True, analyzer=lambda text: [text[at : at + SHINGLE] for at in range(len(text) - 4)])
    matrix = runs.fit_transform([*held_out, *train])
    left, right = matrix[: len(held_out)], matrix[len(held_out) :]
    overlap = (left @ right.T).tocoo()
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    union = sizes[overlap.row] + sizes[len(held_out) + overlap.col] - overlap.data
    return np.unique(overlap.row[overlap.data / union >= SIMILARITY]).tolist()


def measure(kind: str, rows: int) -> Figures:
    """Return the seconds of processor time, the memory that is added, and what was found."""
    train, held_out, planted = make_splits(kind, rows)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here
    before, start = read_memory(torch.device("cpu")), time.process_time()
    positions, cut = find_near_duplicates(train, held_out, similarity=SIMILARITY, shingle=SHINGLE)
    seconds, memory = time.process_time() - start, read_memory(torch.device("cpu")) - before
    exact = compare_all_pairs(train, held_out) if rows <= MOST_ROWS_OF_ALL_PAIRS else None
    return {
        "seconds": seconds,
        "memory": memory,
        "rows": len(train) + len(held_out),
        "found": len(positions),
        "planted": f"{len(set(planted) & set(positions))} of {len(planted)}",
        "exact": None if exact is None else "equal" if positions == exact else f"{len(exact)}",
        "cut": cut,
    }


def publish_runs(runs: Sequence[tuple[str, int, Figures]]) -> None:
    """Write the table of runs, each after its kind and size."""
    header = ("texts", "rows", "seconds", "µs a row", "memory, MiB", "found", "of those planted", "all pairs", "cut")
    cells, figures = [], {}
    for kind, size, run in runs:
        each = round(1e6 * run["seconds"] / run["rows"])
        numbers = (f"{run['rows']:,}", f"{run['seconds']:.1f}", f"{each}", f"{run['memory'] / 2**20:,.0f}")
        cells.append((kind, *numbers, f"{run['found']:,}", run["planted"], run["exact"] or "", f"{run['cut']:,}"))
        figures[f"{kind} {size} microseconds a row"] = each
    publish("duplicates", ABOUT, markdown_table(header, cells, right=range(1, 9)), figures, ("numpy", "scipy"))


def main(sizes: Sequence[int]) -> None:
    """Measure every kind at every size, and publish the table."""
    runs = []
    for kind in KINDS:
        for size in sizes:
            runs.append((kind, size, run_alone("benchmarks.duplicates", "--alone", kind, str(size))))
            print(*runs[-1], flush=True)
    publish_runs(runs)


ABOUT = f"""# Near duplicates

`make bench-duplicates`: made-up texts, a fifth of them held out, {PLANTED:.0%} of those a train text with an `s` at
its end; similarity {SIMILARITY}, shingles of {SHINGLE}. *Plain* are sentences of Zipf-distributed words, *templated*
tickets, any two 0.6 to 0.8 alike, *narrow* a template around three of 100 words, in which no shingle is rare.
Seconds of processor time; memory beyond that of the texts. *All pairs* says whether the exact comparison of every pair
finds the same, up to {MOST_ROWS_OF_ALL_PAIRS:,} rows; *cut* counts the train texts with more candidates than the limits
allow."""


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        main([int(word) for word in sys.argv[1:]] or SIZES)
