"""The flow `watch`: what came in compared with what a model was tested on, as an artifact; an alarm fails the run."""

import subprocess
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from pipeline.core.errors import PipelineError
from pipeline.flow.artifacts import artifact_key, warn_of_client
from pipeline.run.process import PYTHON, capture_on_leash

ALARM = 1  # the exit code of `watch` if a limit is exceeded
_ERRORS = {kind.exit_code: kind.__name__ for kind in PipelineError.__subclasses__()} | {ALARM: "Alarm"}


@flow(name="watch", persist_result=False)
def watch_file(task: str, file: str) -> State[None]:
    """Compare a file with the test split of a task; the run fails if a limit of `watch` in params.yaml is exceeded.

    The run works in a clone of the project, so `file` is an absolute path.
    """
    if not Path(file).is_absolute():
        return Failed(name="UsageError", message=f"file: not an absolute path, {file!r}. Write it from / on.")
    done = capture_on_leash([PYTHON, "-m", "pipeline", "watch", task, file])
    if table := done.stdout.decode("utf-8", "replace").strip():
        with warn_of_client("the comparison could not be shown"):
            create_markdown_artifact(table, key=artifact_key(f"watch-{task}"), description=f"{file}, and {task}")
    return judge_end(done)


def judge_end(done: "subprocess.CompletedProcess[bytes]") -> State[None]:
    """Return the state that the end of `watch` leads to: named after its error, or Alarm."""
    if not done.returncode:
        return Completed(message="no limit is exceeded")
    shown = done.stdout.decode("utf-8", "replace").splitlines()
    lines = [line for line in shown if line.startswith("**Limits exceeded")]
    words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    message = (lines if done.returncode == ALARM else words) or [f"exit code {done.returncode}"]
    return Failed(name=_ERRORS.get(done.returncode, "Broken"), message=message[0].strip("*"))
