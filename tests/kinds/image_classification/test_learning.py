"""Learning of classes of images: any family of the library, exactly resumed, and as the library itself computes."""

import json
import os

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.core.tables import read_arrow, read_parquet
from pipeline.evaluate.align import select_split
from pipeline.finetune.fit import prepare_training
from pipeline.images.decoding import open_picture, unpack_images
from pipeline.kinds.image_classification.feed import require_pixels_fit
from pipeline.kinds.image_classification.learning import LEARNING, image_head
from pipeline.kinds.image_classification.objective import compute_image_logits, rows_of_images
from pipeline.models.device import choose_device
from pipeline.models.folder import build_model
from pipeline.models.processes import join_ranks
from pipeline.train.weights import list_statistics
from tests.given.images import SHAPES, make_image_encoder
from tests.given.kinds import Sample, run_stages
from tests.given.projects import PATIENCE, free_port

KIND = "image-classification"


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    return run_stages(tmp_path_factory.mktemp("images"), KIND)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_killed_training_ends_alike_with_running_statistics_too(sample, tmp_path, shape):
    table, params = read_arrow(sample.paths["tokens"]), sample.params("finetune")
    train, validation = rows_of_images(table, "train"), rows_of_images(table, "validation")
    encoder = make_image_encoder(tmp_path / shape, shape)

    def learn(kills):
        state = None
        for kill in (*kills, None):
            model = build_model(encoder, image_head(table), dropout=0.1, seed=0)
            with prepare_training(model, train, validation, params, LEARNING) as (training, _):
                if state is not None:
                    training.restore(state)
                while not training.finished and training.done != kill:
                    training.advance()
                if training.finished:
                    return model, training.result()
                state = training.state()
        raise AssertionError

    (whole, one), (resumed, other) = learn(()), learn((1, 3, 4))
    assert one == other
    for (name, weight), same in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(weight, same), name
    if shape == "resnet":
        assert any("running_mean" in name for name, _ in whole.named_buffers())


def learn_on_rank(rank, size, port, encoder, tokens, params, out):
    """Make one update as one of the processes of a training, and write its running statistics."""
    torch.set_num_threads(1)
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()} | {"CUDA_VISIBLE_DEVICES": ""}
    table = read_arrow(tokens)
    train, validation = rows_of_images(table, "train"), rows_of_images(table, "validation")
    with join_ranks() as ranks:
        model = build_model(encoder, image_head(table), dropout=0.0, seed=0)
        with prepare_training(model, train, validation, params, LEARNING, ranks=ranks) as (training, _):
            training.advance()
        numbers = {name: value.tolist() for name, value in list_statistics(model)}
    (out / f"{size}-{rank}").write_text(json.dumps(numbers))


def test_processes_share_their_running_statistics(forks, sample, tmp_path):
    encoder = make_image_encoder(tmp_path / "resnet", "resnet")
    params = sample.params("finetune").model_copy(update={"batch_size": 1000, "crop": 0.0, "flip": False})
    for size in (1, 2):
        arguments = (size, free_port(), encoder, sample.paths["tokens"], params, tmp_path)
        processes = [forks.Process(target=learn_on_rank, args=(rank, *arguments)) for rank in range(size)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(PATIENCE)
    alone, first, second = (json.loads((tmp_path / name).read_text()) for name in ("1-0", "2-0", "2-1"))
    assert first == second
    name = next(name for name in alone if name.endswith("running_mean"))  # of the layer that sees the images
    assert first[name] == pytest.approx(alone[name], abs=5e-3)


def test_the_loss_is_that_of_the_stock_model(sample):
    table, params = read_arrow(sample.paths["tokens"]), sample.params("finetune")
    train = rows_of_images(table, "train")
    device = choose_device("fp32")
    plain = params.model_copy(update={"crop": 0.0, "flip": False, "label_smoothing": 0.0, "dropout": 0.0})
    model = build_model(sample.paths["encoder"], image_head(table), dropout=0.0, seed=0)
    step = LEARNING.objective.plan(train, plain)[0]
    (loss,) = LEARNING.objective.losses(model, train, None, step, plain, device, *[])
    rows = step.rows
    inputs = LEARNING.objective.outputs(model, train, rows, device)
    assert loss.item() == pytest.approx(cross_entropy(inputs, torch.from_numpy(train.labels[rows])).item(), rel=1e-6)
    shown = params.model_copy(update={"crop": 0.5, "label_smoothing": 0.0})
    (other,) = LEARNING.objective.losses(model, train, None, step, shown, device)
    assert other.item() != pytest.approx(loss.item(), rel=1e-6)


def test_the_librarys_pipeline_answers_as_evaluate_wrote(sample):
    folder = str(sample.paths["model"])
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(folder)
    classify = pipeline("image-classification", model=model, image_processor=processor, device="cpu")
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    written = read_parquet(sample.paths["predictions"])["probabilities"].to_pylist()
    for image, probabilities in zip(unpack_images(test["image"]), written, strict=True):
        answers = {answer["label"]: answer["score"] for answer in classify(open_picture(image))}
        assert [answers["disc"], answers["square"]] == pytest.approx(probabilities, abs=1e-5)


def test_logits_do_not_depend_on_the_size_of_a_batch(sample):
    table = read_arrow(sample.paths["tokens"])
    model = build_model(sample.paths["encoder"], image_head(table), dropout=0.0, seed=0)
    pixels = rows_of_images(table, "train").pixels
    one, two = (compute_image_logits(model, pixels, choose_device("fp32"), batch_size=size) for size in (1, 5))
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("changes", [{"image_size": 32}, {"num_channels": 1}])
def test_images_that_do_not_fit_the_model_are_refused(sample, changes):
    table = read_arrow(sample.paths["tokens"])
    model = build_model(sample.paths["encoder"], image_head(table), dropout=0.0, seed=0)
    model.config.update(changes)
    with pytest.raises(DataError):
        require_pixels_fit(rows_of_images(table, "train").pixels, model)


def test_errors_and_neighbours_show_their_image(sample):
    worst = read_json(sample.paths["evaluation"])["worst"]
    near = read_json(sample.paths["projection"])["neighbours"]
    shown = [*worst, *near, *(each for row in near for each in row["nearest"])]
    assert all(row["image"].startswith("data:image/png;base64,") for row in shown)
    assert {row["text"] for row in shown} == {"image of 16 x 16 pixels"}
    assert np.isfinite([row["confidence"] for row in worst]).all()
