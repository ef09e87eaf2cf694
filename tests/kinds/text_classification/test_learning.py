"""A model of pairs of texts, trained by the stages, beside the library that opens its folder."""

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from pipeline.core.files import read_json
from pipeline.core.stage import load_facet
from pipeline.core.tables import read_arrow, read_parquet
from pipeline.evaluate.align import select_split
from pipeline.finetune.classification import rows_of
from pipeline.kinds.text_classification.prediction import predict_texts
from pipeline.models.attention import FLAT
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.folder import load_model
from pipeline.models.inference import collate, forward
from pipeline.models.layers import shorten_last_layer
from pipeline.models.tokenizer import TYPES
from pipeline.predict.predictor import load_predictor
from tests.given.answering import serving_here
from tests.given.kinds import Sample, run_front


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Sample:
    return run_front(tmp_path_factory.mktemp("pairs"), "text-classification-pairs")


def test_raw_pairs_get_the_tokens_of_training_and_the_probabilities_of_the_evaluation(pairs):
    examples, tokens = read_parquet(pairs.paths["examples"]), read_arrow(pairs.paths["tokens"])
    tokenizer = AutoTokenizer.from_pretrained(pairs.paths["model"])
    encoded = tokenizer(examples["text"].to_pylist(), examples["text_pair"].to_pylist(), truncation=True)
    assert encoded["input_ids"] == tokens["input_ids"].to_pylist()
    assert encoded["token_type_ids"] == tokens["token_type_ids"].to_pylist()
    assert 0 < sum(tokens["truncated"].to_pylist()) == read_json(pairs.paths["history"])["truncated"]
    test = select_split(examples, "test")
    stock = AutoModelForSequenceClassification.from_pretrained(pairs.paths["model"]).eval()
    with torch.inference_mode():
        expected = [
            stock(**tokenizer(*texts, truncation=True, return_tensors="pt")).logits.softmax(-1)[0].tolist()
            for texts in zip(test["text"].to_pylist(), test["text_pair"].to_pylist(), strict=True)
        ]
    answers = predict_texts(pairs.paths["model"], test, tokens).to_pylist()
    assert np.array(answers) == pytest.approx(np.array(expected), abs=1e-5)
    classify = pipeline("text-classification", model=str(pairs.paths["model"]), truncation=True)
    first = test.slice(0, 1).to_pylist()[0]
    answer = classify({"text": first["text"], "text_pair": first["text_pair"]})
    assert answer["score"] == pytest.approx(max(expected[0]), abs=1e-5)


@pytest.mark.parametrize("attention", ["eager", FLAT])
def test_the_types_of_tokens_reach_the_model(pairs, attention):
    learning, tokens = load_facet(pairs.kind, "learning"), read_arrow(pairs.paths["tokens"])
    model, rows = load_model(pairs.paths["model"], learning.head(tokens)).eval(), rows_of(tokens, "train").tokens
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.5)  # else the first token hardly sees the others
    chosen = tokens.filter(pc.equal(tokens["split"], "train")).to_pylist()
    with torch.inference_mode():
        typed, untyped = (
            torch.cat([model(torch.tensor([row["input_ids"]]), token_type_ids=types(row)).logits for row in chosen])
            for types in (lambda row: torch.tensor([row["token_type_ids"]]), lambda _: None)
        )
        with with_attention(model, attention), shorten_last_layer(model):
            device, everyone = choose_device("fp32"), np.arange(len(chosen))
            logits = forward(model, collate(model, rows, everyone, device), device)
    torch.testing.assert_close(logits, typed, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(typed, untyped, atol=1e-3)


def test_a_predictor_reads_the_tokens_of_training_and_answers_in_the_shape_of_transformers(pairs):
    assert read_json(pairs.paths["model"] / "config.json")["reads_pairs"] is True
    examples, tokens = read_parquet(pairs.paths["examples"]), read_arrow(pairs.paths["tokens"])
    predictor = load_predictor(pairs.paths["model"])
    texts = [*zip(examples["text"].to_pylist(), examples["text_pair"].to_pylist(), strict=True)]
    read = [row.T.tolist() for row in predictor.encode([predictor.answers.questions.read(pair) for pair in texts])]
    assert read == [list(row) for row in zip(*(tokens[c].to_pylist() for c in ("input_ids", TYPES)), strict=True)]
    classify = pipeline("text-classification", model=str(pairs.paths["model"]), truncation=True, top_k=None)
    rows = [{"text": first, "pair": second} for first, second in texts]
    with serving_here(predictor) as ask:
        answers = ask({"rows": rows, "shape": "transformers", "all": True}).json()
        refused = ask({"texts": ["one text"]})
    for row, answer in zip(rows, answers, strict=True):
        stock = classify({"text": row["text"], "text_pair": row["pair"]})
        assert [score["label"] for score in answer] == [score["label"] for score in stock]
        assert [s["score"] for s in answer] == pytest.approx([s["score"] for s in stock], abs=1e-5)
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "texts"])
