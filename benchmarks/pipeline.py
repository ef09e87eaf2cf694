"""The whole job: `dvc repro` in a clean clone with an empty cache, stage by stage, and once more with nothing to do."""

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.dvc_output import read_lines, time_stages
from benchmarks.table import publish
from pipeline.core.format import markdown_table


def add_up(times: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return the seconds of each stage in the order of their starts, `DVC` first with all of its own."""
    seconds: dict[str, float] = {}
    for stage, own in times:
        seconds[stage] = seconds.get(stage, 0.0) + own
    return seconds


def main() -> None:
    """Clone, run, run again; print the table and write it to docs/benchmarks."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
        clean = add_up(time_stages(read_lines(["dvc", "repro"], clone)))
        lock = subprocess.run(["git", "diff", "--quiet", "dvc.lock"], cwd=clone, check=False).returncode == 0
        (*_, (no_op, _)) = read_lines(["dvc", "repro"], clone)
    whole = sum(clean.values())
    rows = [(stage, f"{seconds:.1f}", f"{seconds / whole:.0%}") for stage, seconds in clean.items()]
    rows += [("all", f"{whole:.1f}", "100%"), ("no-op", f"{no_op:.1f}", "")]
    shown = markdown_table(("stage", "seconds", "share"), rows, right=(1, 2))
    figures = {"no-op/clean": round(no_op / whole, 4), "finetune/clean": round(_share(clean, "finetune"), 3)}
    lock_line = f"The dvc.lock it left is {'' if lock else 'not '}the committed one, byte for byte."
    packages = ("torch", "transformers", "dvc", "great-expectations")
    publish("pipeline", ABOUT, f"{shown}\n{lock_line}\n", figures, packages)


def _share(clean: dict[str, float], stage: str) -> float:
    return sum(seconds for name, seconds in clean.items() if name.startswith(f"{stage}@")) / sum(clean.values())


ABOUT = """# The whole job

`make bench-pipeline`: `dvc repro` in a clean clone with an empty cache, including downloads; `dvc` is the time before,
between and after the stages. Outputs that Git holds already (`code`, `params`, `validate`) and bytes that
the cache got from another stage are not made again. Then the same command with nothing to do."""


if __name__ == "__main__":
    main()
