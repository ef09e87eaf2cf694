"""finalists: the trials of all rounds -> the values that are trained again with other seeds."""

from pipeline.core.files import publish, write_json
from pipeline.core.stage import In, Out
from pipeline.search.trials import choose_finalists, describe_progress, read_trials
from pipeline.settings.search.sections import CANDIDATES, FinalistsParams


def run(params: FinalistsParams, *, trials: In, finalists: Out) -> None:
    """Write the default values and those of the best trials beside it, by candidate; null if there are too few.

    `trials` is the folder of the last round.
    """
    tried = read_trials(trials, index=params.rounds - 1, slots=params.slots, rungs=params.rungs)
    best = choose_finalists(tried, params.default, lower=params.lower, most=len(CANDIDATES) - 1)
    values = [params.default, *(trial.values for trial in best)]
    with publish(finalists) as partial:
        partial.mkdir()
        for place, candidate in enumerate(CANDIDATES):
            write_json(partial / f"{candidate}.json", values[place] if place < len(values) else None)
    print(describe_progress(tried, lower=params.lower))
