"""The suite, run by Great Expectations: the only module that knows it."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.checks.findings import Verdict
from pipeline.checks.measures import LINES
from pipeline.checks.suite import Check

with warnings.catch_warnings():
    # It imports `sre_constants` and `sre_parse`, which Python 3.11 deprecates; nothing of ours can change that.
    warnings.filterwarnings("ignore", message="module 'sre_", category=DeprecationWarning)
    import great_expectations as gx
from great_expectations.core import ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)

# Great Expectations drops an expectation it does not know from the suite and only logs it.
UNANSWERED = Verdict(success=False, error="Great Expectations gave no result")


def verdicts(checks: Sequence[Check], frames: Mapping[str, pa.Table]) -> list[Verdict]:
    """Return one verdict a check, in the order of `checks`; `frames` are the tables they name.

    Nothing is kept: the context lives in memory, for this call alone.
    """
    batches = _batches()
    found: dict[str, Verdict] = {}
    for name in dict.fromkeys(check.frame for check in checks):
        found |= _run(batches, [check for check in checks if check.frame == name], frames[name])
    return [found.get(check.check, UNANSWERED) for check in checks]


def verdict(result: ExpectationValidationResult) -> Verdict:
    """Return what one result says."""
    values = result.result
    total = values.get("element_count")
    return Verdict(
        success=bool(result.success),
        judged=None if total is None else int(total) - int(values.get("missing_count", 0)),
        total=None if total is None else int(total),
        failures=int(values.get("unexpected_count", not result.success)),
        positions=tuple(int(position) for position in values.get("partial_unexpected_index_list", ())),
        error=error(result.exception_info),
    )


def error(info: Mapping[str, Any]) -> str | None:
    """Return why a check could not run, or None if it did.

    Great Expectations reports it in two shapes: flat for the check as a whole, by metric for the metrics it needs.
    """
    parts = [info] if "raised_exception" in info else list(info.values())
    messages = sorted({str(part["exception_message"]) for part in parts if part["raised_exception"]})
    return ", ".join(map(ascii, messages))[:300] or None


def _batches() -> BatchDefinition:
    """Return what makes a batch of a data frame, in a context of memory alone: no files, no progress bars, no calls."""
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    quiet = ProgressBarsConfig(globally=False)
    config = DataContextConfig(store_backend_defaults=stores, progress_bars=quiet, analytics_enabled=False)
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def _run(batches: BatchDefinition, checks: Sequence[Check], frame: pa.Table) -> dict[str, Verdict]:
    """Return the verdict of each check on one frame by its name, as the order of the results is not ours."""
    suite = gx.ExpectationSuite(name=checks[0].frame, expectations=[_configuration(check) for check in checks])
    shape = {"result_format": "SUMMARY", "partial_unexpected_count": LINES}
    outcome = batches.get_batch({"dataframe": frame.to_pandas()}).validate(suite, result_format=shape)
    return {result.expectation_config.meta["check"]: verdict(result) for result in outcome.results}


def _configuration(check: Check) -> dict[str, Any]:
    """Return the check as Great Expectations reads it; `meta` gives the result its name back."""
    return {
        "type": check.expectation,
        "kwargs": dict(check.kwargs),
        "severity": check.severity,
        "meta": {"check": check.check},
    }
