"""The page of a number for each text."""

from pipeline.core.document import Document
from pipeline.core.format import count, markdown_table, share
from pipeline.kinds.text_regression.baseline_names import NUMBER_BASELINES
from pipeline.kinds.text_regression.measures import NUMBER_METRICS
from pipeline.report.kind import CardParts, Page, Task


def _tabulate(evaluation: Document) -> str:
    """Return what is predicted beside the truth, by tenths of the test rows."""
    rows = [
        (f"{share(row['low'])} to {share(row['high'])}", share(row["predicted"]), share(row["actual"]),
         share(row["rmse"]), count(row["rows"]))
        for row in evaluation["model"]["parts"]
    ]  # fmt: skip
    return markdown_table(("Predicted", "Mean", "Actual mean", "RMSE", "Test rows"), rows, right=range(1, 5))


def _describe(task: Task) -> CardParts:
    standard, length = task.history["standard"], count(task.history["max_length"])
    pairs = "second" in task.evaluation["baselines"]
    example = '{"text": "a text", "text_pair": "another"})' if pairs else '"a text")[0]'
    read = f"{length} tokens of a pair, and cuts the longer text" if pairs else f"the first {length} tokens of a text"
    return CardParts(
        tag="text-classification",
        hub_metrics=(
            ("mae", "mae", "Mean absolute error"),
            ("pearson", "pearsonr", "Pearson"),
            ("spearman", "spearmanr", "Spearman"),
        ),
        introduction=f"A model that tells a number for a {'pair of texts' if pairs else 'text'}",
        outputs=f"Its numbers are in the unit of the data, whose mean is {share(standard['mean'])} and whose standard "
        f"deviation is {share(standard['deviation'])}.",
        use=f"""```python
from transformers import pipeline

rate = pipeline("text-classification", model="data/model/{task.name}", function_to_apply="none", truncation=True)
print(rate({example}["score"])
```

It reads {read}. Keep `truncation=True`:
without it transformers cuts nothing, and the model reads more than it was trained and tested on, or fails. Without
`function_to_apply="none"` other versions of transformers may squeeze the number into 0 to 1.""",
        tables=_tabulate(task.evaluation),
        limits=f"It gives a number for any {'pair' if pairs else 'text'}, and may give one that no example has.",
    )


PAGE = Page(
    metrics=NUMBER_METRICS,
    baselines=NUMBER_BASELINES,
    sections={
        "results": "Models",
        "numbers": "Predicted and actual",
        "errors": "Largest errors",
        "checks": "Checks",
        "data": "Data",
        "training": "Training",
        "slices": "Slices",
    },
    template="text-regression.html",
    functions={},
    scale="RMSE and mean absolute error are in the unit of the data (0 upwards), correlations lie between -1 and 1.",
    advise=lambda _task, _quote: [],
    summarize=lambda task: [_tabulate(task.evaluation)],
    describe=_describe,
    keeps_cheap=True,
)
