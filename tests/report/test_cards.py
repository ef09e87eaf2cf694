import re
from typing import Any

from pipeline.report.cards import classifier_card, encoder_card
from tests.given.reporting import history, pretraining

PARAMS = {"task": "reviews", "metric": "macro_f1", "lora": None, "seed": 0}


def words(card: str) -> str:
    return " ".join(card.split())


def test_a_classifier_card_holds_classes_validation_results_and_parameters() -> None:
    labels = ["negative", "positive"]
    card = classifier_card(task="reviews", labels=labels, history=history("reviews", labels), params=PARAMS)
    front = re.match(r"---\n(.*?)\n---\n", card, flags=re.DOTALL)
    assert front is not None
    assert front[1].splitlines() == ["library_name: transformers", "pipeline_tag: text-classification"]
    assert "0. negative\n1. positive\n" in card
    assert "8,463 examples" in words(card)
    assert "530 of 530 steps" in words(card)
    assert "step 398, the best by `macro_f1` on 1,091 validation examples: loss 0.345, accuracy 0.857" in words(card)
    assert (
        "| parameter | value |\n| --- | --- |\n| `metric` | `macro_f1` |\n| `lora` | `None` |\n| `seed` | `0` |" in card
    )


def test_class_names_are_text() -> None:
    labels = ["<b>", "@you # 1"]
    card = classifier_card(task="t", labels=labels, history=history("t", labels), params=PARAMS)
    assert "<b>" not in card
    assert "@you" not in card


def test_an_encoder_card_holds_its_results_beside_chance() -> None:
    params: dict[str, Any] = {"encoder": "scratch", "family": "bert", "pair": "nsp"}
    card = encoder_card(pretraining(), params)
    assert "1,492,610 weights" in card
    assert "20,668 documents with 2,010,003 tokens" in words(card)
    assert re.search(r"^\| perplexity .* \| 100\.0 \| 641\.7 \|$", card, flags=re.MULTILINE)
    assert re.search(r"^\| .*\(NSP\) \| 0\.750 \| 0\.520 \|$", card, flags=re.MULTILINE)
    assert "`encoder`" not in card
    assert "(NSP)" not in encoder_card(pretraining(pairs=False), params)
