"""propose: the trials of the rounds before -> the values that each slot of a round tries."""

from pipeline.core.files import publish, write_json
from pipeline.core.stage import In, Out
from pipeline.search.sampler import propose_values
from pipeline.search.trials import HISTORY, describe_progress, read_trials
from pipeline.settings.search.sections import ProposeParams


def run(params: ProposeParams, *, earlier: In, proposals: Out) -> None:
    """Write the values of each slot, null for an idle one, and the trials so far.

    `earlier` is the folder of the round before, or the start of the search.
    """
    trials = []
    if params.round:
        trials = read_trials(earlier, index=params.round - 1, slots=params.slots, rungs=params.rungs)
    values = propose_values(params, trials)
    with publish(proposals) as partial:
        partial.mkdir()
        write_json(partial / HISTORY, [trial._asdict() for trial in trials])
        for slot, proposal in zip(params.slots, values, strict=True):
            write_json(partial / f"{slot}.json", proposal)
    print(f"round {params.round}: {describe_progress(trials, lower=params.lower)}")
    if idle := values.count(None):
        print(f"all values of the space are tried: {idle} of {len(values)} slots stay idle")
