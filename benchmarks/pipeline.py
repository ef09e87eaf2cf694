"""The whole job: `dvc repro` in a clean clone with an empty cache, stage by stage, and once more with nothing to do."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import format_table, publish

RUNNING = re.compile(r"Running stage '(?P<stage>[^']+)'")


def read_lines(command: list[str], folder: Path) -> Iterator[tuple[float, str]]:
    """Yield each line that the command prints, and the seconds since its start.

    Raises:
        CalledProcessError: It failed.
    """
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            yield time.perf_counter() - start, line
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    yield time.perf_counter() - start, ""


def measure_stages(lines: list[tuple[float, str]]) -> dict[str, float]:
    """Return the seconds from the start of each stage to that of the next, in order; `dvc` is the time before them."""
    marks = [("dvc", 0.0)]
    for second, line in lines:
        if running := RUNNING.search(line):
            marks.append((running["stage"], second))
    ends = [second for _, second in marks[1:]] + [lines[-1][0]]
    return {stage: end - begin for (stage, begin), end in zip(marks, ends, strict=True)}


def main() -> None:
    """Clone, run, run again; print the table and write it to docs/benchmarks."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
        clean = measure_stages(list(read_lines(["dvc", "repro"], clone)))
        lock = subprocess.run(["git", "diff", "--quiet", "dvc.lock"], cwd=clone, check=False).returncode == 0
        (*_, (no_op, _)) = read_lines(["dvc", "repro"], clone)
    whole = sum(clean.values())
    rows = [(stage, f"{seconds:.1f}", f"{seconds / whole:.0%}") for stage, seconds in clean.items()]
    shown = format_table(
        ("stage", "seconds", "share"), [*rows, ("all", f"{whole:.1f}", "100%"), ("no-op", f"{no_op:.1f}", "")]
    )
    figures = {"no-op/clean": round(no_op / whole, 4), "finetune/clean": round(_share(clean, "finetune"), 3)}
    lock_line = f"The dvc.lock it left is {'' if lock else 'not '}the committed one, byte for byte."
    packages = ("torch", "transformers", "dvc", "great-expectations")
    publish("pipeline", ABOUT, f"{shown}\n\n{lock_line}", figures, packages)


def _share(clean: dict[str, float], stage: str) -> float:
    return sum(seconds for name, seconds in clean.items() if name.startswith(f"{stage}@")) / sum(clean.values())


ABOUT = """# The whole job

`make bench-pipeline`: `dvc repro` in a clean clone with an empty cache, including downloads; the time of a stage runs
to the start of the next. Outputs that Git holds already (`code`, `params`, `validate`, `transfer`) and bytes that the
cache got from another stage are not made again. Then the same command with nothing to do."""


if __name__ == "__main__":
    main()
