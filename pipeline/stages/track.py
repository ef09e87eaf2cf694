"""track: the results of all tasks -> runs on the server of a tracker of experiments; no other stage depends on it."""

from pipeline.core.files import read_json, sha256, write_json
from pipeline.core.stage import In, Out
from pipeline.settings.task import TrackParams
from pipeline.track.mlflow_runs import send_to_mlflow
from pipeline.track.task_record import make_record
from pipeline.track.wandb_runs import send_to_wandb

_SEND = {"mlflow": send_to_mlflow, "wandb": send_to_wandb}


def run(params: TrackParams, *, metrics: In, history: In, model: In, page: In, summary: In, tracking: Out) -> None:
    """Send what each task is known by, and write down where it is; a model stays in DVC and is named by its hash."""
    records = [
        make_record(task, settings, read_json(metrics / f"{task}.json"), read_json(history / f"{task}.json"))
        for task, settings in params.tasks.items()
    ]
    models = {
        task: {"model.path": (model / task).as_posix(), "model.sha256": sha256(model / task / "model.safetensors")}
        for task in params.tasks
    }
    write_json(tracking, _SEND[params.tracker](params.title, records, files=(page, summary), models=models))
