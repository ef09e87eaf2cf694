import sys
from itertools import pairwise

from benchmarks.scale import WORDS, list_words, make_lines, run_alone

VOCABULARY = ["the", "film", "was", "good", "very", "a", "of"]


def test_the_lines_are_the_same_each_time_and_some_are_near_duplicates():
    lines = list(make_lines(2000, VOCABULARY))
    assert lines == list(make_lines(2000, VOCABULARY))
    texts = [line.split("\t")[0] for line in lines]
    assert {len(text.split()) for text in texts} == {WORDS}
    assert 0 < sum(text == f"{before}s" for before, text in pairwise(texts)) < 60
    assert {line.split("\t")[1] for line in lines} == {"negative\n", "positive\n"}


def test_a_command_is_measured_without_its_parent():
    held = bytes(200 * 2**20)
    found = run_alone([sys.executable, "-S", "-c", "x = bytes(range(256)) * 2**18"])
    assert len(held) > found["memory"] > 2**26
    assert found["wall"] > 0
    assert found["seconds"] > 0


def test_a_stage_is_run_as_the_pipeline_runs_it(tmp_path):
    words = list_words("validate", tmp_path)
    assert words[:4] == ["validate", "reviews", "--params", str(tmp_path / "params.json")]
    assert [word.split("=")[0] for word in words[4:]] == ["--examples", "--intake", "--findings"]
