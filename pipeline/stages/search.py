"""search: the trials, and the candidates trained again -> the results of the search, and a page of them."""

from itertools import product

from pipeline.core.files import publish, read_json, read_utf8, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_parquet
from pipeline.report.search import SEARCH_TEMPLATES, search_html
from pipeline.search.answers import compare_on_test
from pipeline.search.conclusion import choose_candidate, conclude_search, join_candidates
from pipeline.search.trials import read_trials
from pipeline.settings.search.sections import CANDIDATES, SearchParams


def run(params: SearchParams, *, trials: In, confirmed: In, templates: In, results: Out, page: Out) -> None:
    """Choose among the candidates by their validation scores with fresh seeds; compare the chosen with the default.

    The answers on the test split are read once the choice is made, and those of no other candidate are.
    """
    tried = read_trials(trials, index=params.rounds - 1, slots=params.slots, rungs=params.rungs)
    documents = {
        (candidate, seed): read_json(confirmed / f"{candidate}-{seed}.json")
        for candidate, seed in product(CANDIDATES, params.seeds)
    }
    candidates = join_candidates(params, tried, documents)
    chosen = choose_candidate(candidates, lower=params.lower)
    test = None
    if chosen.candidate != CANDIDATES[0] and candidates[0].mean is not None:
        sides = [
            [read_parquet(confirmed / f"{candidate}-{seed}.parquet") for seed in params.seeds]
            for candidate in (CANDIDATES[0], chosen.candidate)
        ]
        test = compare_on_test(*sides, confidence=params.confidence)
    document = conclude_search(params, tried, candidates, chosen, test)
    write_json(results, document)
    texts = {name: read_utf8(templates / name) for name in SEARCH_TEMPLATES}
    with publish(page) as partial:
        partial.write_text(search_html(texts, document), encoding="utf-8")
    print(f"chosen: {chosen.candidate}, {', '.join(f'{key} {value}' for key, value in chosen.values.items())}")
