import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from pipeline.models.folder import build_classifier
from pipeline.report.cards import encoder_card, model_card
from pipeline.settings.task import CardParams
from tests.given.reporting import make_task, metric, pretraining
from tests.given.training import save_classifier

UNKNOWN = CardParams(task="reviews", license=None, language=None, base_model=None, dataset=None)
KNOWN = CardParams(task="reviews", license="apache-2.0", language="en", base_model="o/small", dataset="o/reviews")


def words(card: str) -> str:
    return " ".join(card.split())


def cells(card: str, start: str) -> list[str]:
    """Return the cells of the one row of a table that starts with `start`."""
    (row,) = [line for line in card.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_hubs_own_parser_reads_the_front_matter_with_its_results() -> None:
    task = make_task()
    data = ModelCard(model_card(task, KNOWN)).data
    assert data.to_dict().keys() >= {"license", "language", "base_model", "datasets", "metrics", "model-index"}
    assert (data.license, data.language, data.base_model, data.datasets) == (
        "apache-2.0",
        "en",
        "o/small",
        ["o/reviews"],
    )
    assert (data.library_name, data.pipeline_tag, data.model_name) == ("transformers", "text-classification", "reviews")
    model = task.evaluation["model"]
    for result, key, kind in zip(data.eval_results, ("accuracy", "macro_f1"), ("accuracy", "f1"), strict=True):
        assert (result.task_type, result.metric_type) == ("text-classification", kind)
        assert (result.dataset_type, result.dataset_name, result.dataset_split) == ("o/reviews", "reviews", "test")
        assert result.metric_value == round(model[key]["value"], 4)
        assert f"95% interval {model[key]['low']:.3f} to {model[key]['high']:.3f}" in result.metric_name


def test_what_is_not_known_is_left_out() -> None:
    data = ModelCard(model_card(make_task(), UNKNOWN)).data
    assert not {"license", "language", "base_model", "datasets"} & data.to_dict().keys()
    assert data.eval_results[0].dataset_type == "reviews"


def test_what_was_not_measured_is_no_result() -> None:
    task = make_task()
    task.evaluation["model"] |= {"accuracy": metric(None), "macro_f1": metric(None)}
    assert not {"model-index"} & ModelCard(model_card(task, KNOWN)).data.to_dict().keys()


def test_a_card_holds_results_training_and_parameters() -> None:
    task = make_task()
    card = model_card(task, UNKNOWN)
    first, model = task.evaluation["labels"][0], task.evaluation["model"]
    assert f"0. {first}\n" in card
    accuracy = model["accuracy"]
    shown = f"{accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}]"
    assert cells(card, "**this model**")[1] == shown
    assert cells(card, first)[4:] == [
        f"{task.intake['splits']['train'][first]:,}",
        f"{model['classes'][0]['support']:,}",
    ]
    slices = re.findall(r"^\| length (\S+) ", card, flags=re.MULTILINE)
    assert slices == ["1-5", "41&#43;", "6-10"]
    assert "the best by `macro_f1` on 1,091 validation examples: loss 0.345, accuracy 0.857" in words(card)
    assert "torch 2.0, transformers 5.0" in card
    assert "a temperature of 0.750" in words(card)
    assert "(calibration error 0.021, without it 0.048)" in words(card)
    assert (
        "| parameter | value |\n| --- | --- |\n| `metric` | `macro_f1` |\n| `lora` | `None` |\n| `seed` | `0` |" in card
    )


def test_class_names_are_text() -> None:
    task = make_task()
    task.evaluation["labels"] = ["<b>", "@you # 1"]
    task.evaluation["model"]["classes"][0]["label"] = "<b>"
    card = model_card(task, UNKNOWN)
    assert "<b>" not in card
    assert "@you" not in card


def test_the_snippet_runs_on_a_text_of_any_length(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ["negative", "positive"]
    model = build_classifier(encoder, labels, dropout=0.0, seed=0)
    save_classifier(model, encoder, tmp_path / "data/model/reviews", max_length=12)
    monkeypatch.chdir(tmp_path)
    snippet = re.search(r"```python\n(.*?)```", model_card(make_task(), UNKNOWN), flags=re.DOTALL)
    assert snippet is not None
    names: dict[str, Any] = {}
    exec(snippet[1].replace("a text", "word " * 700), names)  # noqa: S102 - what a reader of the card would run
    assert names["classify"].model.config.id2label == dict(enumerate(labels))
    assert re.search("negative|positive", capsys.readouterr().out)


def test_an_encoder_card_holds_its_results_beside_chance() -> None:
    params: dict[str, Any] = {"encoder": "scratch", "family": "bert", "pair": "nsp"}
    card = encoder_card(pretraining(), params)
    assert "1,492,610 weights" in card
    assert "20,668 documents with 2,010,003 tokens" in words(card)
    assert re.search(r"^\| perplexity .* \| 100\.0 \| 641\.7 \|$", card, flags=re.MULTILINE)
    assert re.search(r"^\| .*\(NSP\) \| 0\.750 \| 0\.520 \|$", card, flags=re.MULTILINE)
    assert "`encoder`" not in card
    assert "(NSP)" not in encoder_card(pretraining(pairs=False), params)
