"""Answers of image classification: the class of an image, by the decision that validation has chosen."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pipeline.classes.answers import answer_by_class
from pipeline.images.rows import (
    collate_images,
    draw_probe,
    fit_image,
    list_stored_images,
    measure_row,
    open_reader,
    prepare_images,
    read_image,
    restore_probe,
    sample_image,
)
from pipeline.images.shaping import PROCESSOR_FILE
from pipeline.predict.kind import OutputNames, Outputs, list_scores
from pipeline.predict.questions import Questions, Reading

_MOST_SCORES = 5  # that transformers' pipeline gives unless it is asked for others


def _pipe(outputs: Outputs, images: Sequence[Any], labels: OutputNames, decision: Any, with_all: bool) -> list[Any]:
    """Return the five likeliest classes of each image as label and score, or all, the likeliest first."""
    ranked = list_scores(outputs, images, labels, decision, True)
    return ranked if with_all else [scores[:_MOST_SCORES] for scores in ranked]


ANSWERS = answer_by_class(
    head="ForImageClassification",
    problem=None,
    reads="image",
    questions=Questions(
        fields={"image": "bytes"},
        columns=lambda ingest: {ingest.image: "bytes"},
        joined=False,
        of_text=None,
        sample=sample_image,
        read=read_image,
        name=lambda opened: opened.key,
        open=open_reader,
        fit=fit_image,
        prepare=prepare_images,
        reading=Reading(
            files=(PROCESSOR_FILE,),
            packages=("pillow",),
            measure=measure_row,
            collate=lambda reader, _pad_token_id: partial(collate_images, reader),
            stored=list_stored_images,
            disguise=draw_probe,
            restore=restore_probe,
        ),
    ),
    pipe=_pipe,
)
