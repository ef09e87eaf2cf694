"""What the stage `track` reads of two tasks, and the stage in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from pipeline.core.files import write_json
from pipeline.settings.task import TrackParams
from tests.given.projects import ENVIRONMENT

SETTINGS = {"encoder": "raw/minilm", "finetune": {"epochs": 3, "learning_rate": 0.0003}}
SCORES = {
    "step": 2,
    "epoch": 1.0,
    "learning_rate": 0.1,
    "train_loss": 0.5,
    "loss": 0.4,
    "accuracy": 0.9,
    "macro_f1": 0.8,
}
HISTORY = {"best": SCORES, "evaluations": [{**SCORES, "step": 1, "accuracy": 0.7}, SCORES]}


def write_results(folder: Path) -> dict[str, Path]:
    """Write what the stages before `track` write of two tasks; return the stage's inputs."""
    for task, accuracy in (("spam", 0.9), ("reviews", 0.8)):
        write_json(folder / f"metrics/{task}.json", {"accuracy": accuracy, "accuracy_low": 0.7, "gain_low": None})
        write_json(folder / f"history/{task}.json", HISTORY)
        (folder / f"model/{task}").mkdir(parents=True)
        (folder / f"model/{task}/model.safetensors").write_bytes(task.encode())
    for name in ("report.html", "report.md"):
        (folder / name).write_text(f"the {name}")
    folders = {name: folder / name for name in ("metrics", "history", "model")}
    return {**folders, "page": folder / "report.html", "summary": folder / "report.md"}


def track_apart(tracker: str, results: dict[str, Path], tracking: Path, **environment: str) -> dict:
    """Run the stage in a process of its own, since a tracker's library keeps its settings for the life of a process."""
    done = start_apart(tracker, results, tracking, **environment)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(tracking.read_text()))


def start_apart(
    tracker: str, results: dict[str, Path], tracking: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    params = TrackParams(tracker=tracker, title="Texts", tasks={"spam": SETTINGS, "reviews": SETTINGS})
    words = {name: str(path) for name, path in {**results, "tracking": tracking}.items()}
    script = (
        "import json, sys; from pathlib import Path; from pipeline.settings.task import TrackParams; "
        "from pipeline.stages.track import run; "
        "run(TrackParams.model_validate_json(sys.argv[1]), **{k: Path(v) for k, v in json.loads(sys.argv[2]).items()})"
    )
    return subprocess.run(
        [sys.executable, "-c", script, params.model_dump_json(), json.dumps(words)], text=True, capture_output=True,
        env={**ENVIRONMENT, **environment}, cwd=tracking.parent, check=False,
    )  # fmt: skip
