"""The suite, run by Great Expectations: the only module that knows it."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.checks.findings import CheckResult
from pipeline.checks.rows import MOST_LINES
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

# Great Expectations drops an unknown expectation from the suite and only logs it.
NO_RESULT = CheckResult(success=False, error="Great Expectations gave no result")


def run_checks(checks: Sequence[Check], frames: Mapping[str, pa.Table]) -> list[CheckResult]:
    """Return the result of each check, in the order of `checks`; `frames` are the tables they name.

    Nothing is kept: the context lives in memory, for this call alone.
    """
    batches = _build_batches()
    results: dict[str, CheckResult] = {}
    for name in dict.fromkeys(check.frame for check in checks):
        results |= _run_frame(batches, [check for check in checks if check.frame == name], frames[name])
    return [results.get(check.check, NO_RESULT) for check in checks]


def describe_error(info: Mapping[str, Any]) -> str | None:
    """Return why a check could not run, or None if it did.

    Great Expectations reports it in two shapes: flat for the check as a whole, by metric for the metrics it needs.
    """
    parts = [info] if "raised_exception" in info else list(info.values())
    messages = sorted({str(part["exception_message"]) for part in parts if part["raised_exception"]})
    return ", ".join(map(ascii, messages))[:300] or None


def _build_batches() -> BatchDefinition:
    """Return the definition of a batch of a data frame, in memory alone: no files, no progress bars, no calls."""
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    quiet = ProgressBarsConfig(globally=False)
    config = DataContextConfig(store_backend_defaults=stores, progress_bars=quiet, analytics_enabled=False)
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def _run_frame(batches: BatchDefinition, checks: Sequence[Check], frame: pa.Table) -> dict[str, CheckResult]:
    """Return the result of each check on one frame by its name, as Great Expectations reorders them."""
    suite = gx.ExpectationSuite(name=checks[0].frame, expectations=[_configure(check) for check in checks])
    shape = {"result_format": "SUMMARY", "partial_unexpected_count": MOST_LINES}
    outcome = batches.get_batch({"dataframe": frame.to_pandas()}).validate(suite, result_format=shape)
    return {result.expectation_config.meta["check"]: _read_result(result) for result in outcome.results}


def _configure(check: Check) -> dict[str, Any]:
    """Return the check as Great Expectations reads it; `meta` gives the result its name back."""
    return {
        "type": check.expectation,
        "kwargs": dict(check.kwargs),
        "severity": check.severity,
        "meta": {"check": check.check},
    }


def _read_result(result: ExpectationValidationResult) -> CheckResult:
    """Return a result of Great Expectations as one of ours."""
    values = result.result
    total = values.get("element_count")
    return CheckResult(
        success=bool(result.success),
        judged=None if total is None else int(total) - int(values.get("missing_count", 0)),
        total=None if total is None else int(total),
        failures=int(values.get("unexpected_count", not result.success)),
        positions=tuple(int(position) for position in values.get("partial_unexpected_index_list", ())),
        error=describe_error(result.exception_info),
    )
