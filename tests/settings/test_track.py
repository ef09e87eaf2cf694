from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.settings.resolve import resolve_params

TEXT = Path("params.yaml").read_text(encoding="utf-8")


def test_a_tracker_is_told_what_each_task_is_known_by_and_none_is_the_default():
    assert resolve_params(TEXT, {})["track"] == {}
    resolved = resolve_params(TEXT.replace("track: []", "track: [mlflow]"), {})
    section = resolved["track"]["mlflow"]
    assert section["tracker"] == "mlflow"
    assert section["title"] == resolved["report"]["title"]
    assert list(section["tasks"]) == list(resolved["finetune"])
    spam = section["tasks"]["spam"]
    assert spam["encoder"] == "raw/minilm"
    assert spam["finetune"]["epochs"] == resolved["finetune"]["spam"]["epochs"]
    assert "corrected" not in spam["ingest"]


@pytest.mark.parametrize(
    ("written", "fact"),
    [
        ("mlflow", "found 'mlflow'"),
        ("null", "found None"),
        ("[mlfow]", "did you mean `mlflow`"),
        ("[mlflow, mlflow]", "twice"),
    ],
)
def test_anything_but_a_list_of_trackers_is_refused(written, fact):
    with pytest.raises(UsageError) as caught:
        resolve_params(TEXT.replace("track: []", f"track: {written}"), {})
    (line,) = str(caught.value).splitlines()[1:]
    assert "track: " in line
    assert fact in line
