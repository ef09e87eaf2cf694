"""halve: the scores of the trials of a round so far -> the trials that go on."""

from pipeline.core.files import publish, read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.search.halving import keep_best
from pipeline.settings.search.sections import HalveParams


def run(params: HalveParams, *, trials: In, kept: Out) -> None:
    """Write the result of each slot whose trial goes on; null for the others.

    So the next part of a trial depends on its own result, and on no other.
    """
    best = keep_best(params, {slot: read_json(trials / f"{slot}.json") for slot in params.slots})
    with publish(kept) as partial:
        partial.mkdir()
        for slot, result in best.items():
            write_json(partial / f"{slot}.json", result)
    names = [str(slot) for slot, result in best.items() if result is not None]
    print(f"slots that go on: {', '.join(names) or 'none'}")
