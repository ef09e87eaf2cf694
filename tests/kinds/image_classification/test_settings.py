"""Settings of images: the task of the gallery, and errors between sections."""

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.stage import stage_params
from pipeline.kinds.image_classification.settings import ImageIngestParams, ImageTrainingParams
from pipeline.settings.parse import parse_params
from pipeline.settings.sources import DebianSource, RandomSource, Source
from tests.given.settings import dump, resolve_params, with_profiles


def test_the_gallery_has_a_task_of_images():
    resolved = resolve_params(with_profiles("params.yaml", "gallery"), {})
    ingest, kind = stage_params(resolved, "ingest", "clothes", None)
    assert (type(ingest), kind) == (ImageIngestParams, "image-classification")
    finetune, _ = stage_params(resolved, "finetune", "clothes", None)
    assert (type(finetune), finetune.freeze_embeddings) == (ImageTrainingParams, False)
    sources = [stage_params(resolved, "fetch", name, Source)[0] for name in ("fashion", "resnet")]
    assert [type(source) for source in sources] == [DebianSource, RandomSource]


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("finetune", {"crop": 0.6}, r"tasks\.clothes\.finetune\.crop"),
        ("evaluate", {"slices": ["colour"]}, r"tasks\.clothes\.evaluate\.slices.*'colour'"),
        ("calibrate", {"favoured": {"class": "hat", "recall": 0.9}}, r"tasks\.clothes\.calibrate\.favoured"),
        ("tokenize", {"max_length": 64}, "max_length"),
    ],
)
def test_errors_name_their_key(section, values, words):
    params, _ = parse_params(with_profiles("params.yaml", "gallery"))
    task = params["tasks"]["clothes"]
    task[section] = {**task.get(section, {}), **values}
    with pytest.raises(UsageError, match=words):
        resolve_params(dump(params), {})
