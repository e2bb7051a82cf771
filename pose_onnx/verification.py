"""Compare files of one model with each other, stage by stage, whatever their formats.

The first file is the reference. Every file gets the same network input for the raw tensors, and decoding
starts from these tensors, so it shows the effect of their differences. The last stage runs each file on its
own, from the picture to the result.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import card_of
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.keypoints import keypoint_input, keypoints_in_image
from pose_onnx.detections import Detections
from pose_onnx.detector import Detector, detector_input
from pose_onnx.errors import InputError
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.keypoint_model import KeypointModel
from pose_onnx.loading import INPUT_NAME
from pose_onnx.one_pass import OnePassEstimator
from pose_onnx.poses import Poses
from pose_onnx.resizing import MULTIPLE, next_multiple
from pose_onnx.runtimes import Tensor, backend_for

MIN_SCORE: Final = 0.2
"""Joints that the reference scores below this have no certain place, so theirs is not compared."""

END_TO_END: Final = "end to end"
"""The last stage: each file on its own, from the picture to the result."""
SCORES: Final = "scores"
"""The quantity of the last stages that is not a place in the picture."""

_NOISE_BATCH: Final = 2
_SEED: Final = 0
_Model: TypeAlias = Detector | KeypointModel | OnePassEstimator
_Measured: TypeAlias = dict[str, tuple[float, int]]
"""Of each quantity the largest difference, and how many were compared."""
_Measure: TypeAlias = Callable[[Any, Any], _Measured]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one file is from the reference.

    Attributes:
        file: The file.
        backend: What ran it.
        stage: Where in the pipeline.
        quantity: What was compared, with its unit.
        largest: Largest absolute difference; infinite where only one file finds something.
        compared: How many of the reference's numbers, keypoints or boxes were compared.
    """

    file: Path
    backend: str
    stage: str
    quantity: str
    largest: float
    compared: int


def verify(
    files: Sequence[str | os.PathLike[str]],
    image: ImageSource,
    *,
    card: ModelCard | None = None,
    threads: int | None = None,
    backends: Sequence[str] | None = None,
) -> Iterator[Difference]:
    """Compare the second and later files with the first.

    Args:
        files: Two or more exported files of one model, or Paddle inference folders of it.
        image: A picture, preferably one that a person fills: a keypoint model gets all of it.
        card: The card of the files, if they contain none.
        threads: Threads of a model run; every core when `None`.
        backends: The backend of each file; the first backend of its format when `None`. This allows
            comparing one file with itself on two engines.

    Yields:
        One figure for each file, stage and quantity, in this order.

    Raises:
        InputError: Fewer than two files, a different number of backends, files of different models, or
            models that do not take pictures.
        PoseOnnxError: A file cannot be opened or run.
    """
    paths = [Path(file) for file in files]
    if len(paths) < 2:  # noqa: PLR2004 (one, and one to compare it with)
        raise InputError(f"{len(paths)} file was given; give two or more files of one model")
    names = [backend_for(path) for path in paths] if backends is None else list(backends)
    if len(names) != len(paths):
        raise InputError(f"backends {names} were given for {len(paths)} files; give one for each, or none")
    pixels = load_image(image)
    with _open(paths[0], names[0], card, threads) as reference:
        stages = _COMPARED[reference.card.task].stages(reference, pixels)
        expected = [stage.compute(reference) for stage in stages]
        for path, backend in zip(paths[1:], names[1:], strict=True):
            with _open(path, backend, card, threads) as model:
                _check_same_model(reference.card, model.card, path)
                for stage, wanted in zip(stages, expected, strict=True):
                    for quantity, measured in stage.measure(wanted, stage.compute(model)).items():
                        yield Difference(path, backend, stage.name, quantity, *measured)


def _open(path: Path, backend: str, card: ModelCard | None, threads: int | None) -> _Model:
    found = card_of(path, card)
    if found.task not in _COMPARED:
        raise InputError(
            f"{str(path)!r} is a model for {found.task!r}; give files of models for one of {list(_COMPARED)}"
        )
    model: _Model = _COMPARED[found.task].open(path, card=found, backend=backend, threads=threads)
    return model


def _check_same_model(reference: ModelCard, card: ModelCard, path: Path) -> None:
    for name in ("task", "input", "classes", "keypoints", "output_names"):
        ours, theirs = getattr(reference, name), getattr(card, name)
        if ours != theirs:
            raise InputError(
                f"{str(path)!r} has {name} {theirs}, but the first file has {ours}; give files of one model"
            )


@dataclass(frozen=True, slots=True)
class _Stage:
    """What to do with each file, and how two results of it are compared."""

    name: str
    compute: Callable[[Any], Any]
    measure: _Measure


def _keypoint_stages(reference: KeypointModel, pixels: Image) -> list[_Stage]:
    size = (pixels.shape[0], pixels.shape[1])
    boxes = np.array([[0, 0, size[1] - 1, size[0] - 1]], np.float32)
    crops = reference.preset.crops(boxes, size, reference.card.picture.size, reference.output.stride)

    def prepare(model: KeypointModel) -> F32:
        return keypoint_input(pixels, crops, model.card.picture)

    def decode(model: KeypointModel, outputs: Mapping[str, Tensor]) -> tuple[F32, F32]:
        return keypoints_in_image(*model.output.read(outputs, model.preset), crops)

    def whole(model: KeypointModel) -> tuple[F32, F32]:
        poses = model(pixels, boxes)
        return poses.keypoints, poses.scores

    return _stages(reference, prepare, (decode, _keypoint_differences), (whole, _keypoint_differences))


def _detector_stages(reference: Detector, pixels: Image) -> list[_Stage]:
    def prepare(model: Detector) -> F32:
        return detector_input(pixels, model.card.picture)[0]

    def decode(model: Detector, outputs: Mapping[str, Tensor]) -> dict[str, F32]:
        boxes, scores = model.output.decode(outputs, model.card.picture.size)
        return {"boxes (network px)": boxes, SCORES: scores}

    def whole(model: Detector) -> Detections:
        return model(pixels)

    return _stages(reference, prepare, (decode, _tensor_differences), (whole, _detection_differences))


def _open_people(path: Path, *, card: ModelCard, **options: Any) -> OnePassEstimator:
    return OnePassEstimator(pose=path, pose_card=card, **options)


def _people_stages(reference: OnePassEstimator, pixels: Image) -> list[_Stage]:
    def prepare(model: OnePassEstimator) -> F32:
        return detector_input(pixels, model.card.picture)[0]

    def decode(model: OnePassEstimator, outputs: Mapping[str, Tensor]) -> dict[str, F32]:
        (heads,) = model.output.read(outputs)
        maps = {} if heads.joint_maps is None else {"scores of joints": heads.joint_maps}
        return {"scores of people": heads.centers, **maps}

    def whole(model: OnePassEstimator) -> Poses:
        return model(pixels)

    return _stages(reference, prepare, (decode, _tensor_differences), (whole, _pose_differences))


def _stages(
    reference: _Model,
    prepare: Callable[[Any], F32],
    decode: tuple[Callable[[Any, Mapping[str, Tensor]], Any], _Measure],
    whole: tuple[Callable[[Any], Any], _Measure],
) -> list[_Stage]:
    shape = tuple(
        free if size is None else size
        for free, size in zip(_noise_shape(reference.card), reference.runtime.inputs[0].shape, strict=True)
    )
    noise = {INPUT_NAME: np.random.default_rng(_SEED).standard_normal(shape).astype(np.float32)}
    picture = {INPUT_NAME: prepare(reference)}
    return [
        _Stage("pre-processing", lambda model: {"network input": prepare(model)}, _tensor_differences),
        _Stage("raw tensors, noise", lambda model: model.runtime.run(noise), _tensor_differences),
        _Stage("raw tensors, picture", lambda model: model.runtime.run(picture), _tensor_differences),
        _Stage("decode", lambda model: decode[0](model, model.runtime.run(picture)), decode[1]),
        _Stage(END_TO_END, *whole),
    ]


def _noise_shape(card: ModelCard) -> tuple[int, ...]:
    """Return the shape of an input of noise: for a file whose H and W are free, a picture of the card's size.

    Such files take only multiples of `MULTIPLE`.
    """
    return (_NOISE_BATCH, 3, *(next_multiple(side, MULTIPLE) for side in card.picture.size))


def _tensor_differences(reference: Mapping[str, F32], tensors: Mapping[str, F32]) -> _Measured:
    # A two-stage detector may keep another number of regions.
    return {
        name: (
            _largest(tensors[name] - array) if tensors[name].shape == array.shape else math.inf,
            array.size,
        )
        for name, array in reference.items()
    }


def _keypoint_differences(reference: tuple[F32, F32], found: tuple[F32, F32]) -> _Measured:
    (points, scores), (other_points, other_scores) = reference, found
    certain = scores >= MIN_SCORE
    return {
        "keypoints (image px)": (_largest((other_points - points)[certain]), int(certain.sum())),
        SCORES: (_largest(other_scores - scores), scores.size),
    }


def _detection_differences(reference: Detections, found: Detections) -> _Measured:
    if len(reference) != len(found):
        return {f"{len(reference)} boxes, but {len(found)}": (math.inf, max(len(reference), len(found)))}
    # Boxes of nearly equal scores may have changed places: compare each with its nearest.
    nearest = [int(np.abs(found.boxes - box).max(axis=1).argmin()) for box in reference.boxes]
    return {
        "boxes (image px)": (_largest(found.boxes[nearest] - reference.boxes), len(reference)),
        SCORES: (_largest(found.scores[nearest] - reference.scores), len(reference)),
    }


def _pose_differences(reference: Poses, found: Poses) -> _Measured:
    if len(reference) != len(found):
        return {f"{len(reference)} people, but {len(found)}": (math.inf, max(len(reference), len(found)))}
    # As with boxes: compare each with its nearest.
    nearest = [int(np.abs(found.keypoints - own).max(axis=(1, 2)).argmin()) for own in reference.keypoints]
    return _keypoint_differences(
        (reference.keypoints, reference.scores), (found.keypoints[nearest], found.scores[nearest])
    )


def _largest(differences: F32) -> float:
    return float(np.abs(differences).max(initial=0.0))


class _Compared(NamedTuple):
    """How models for one task are compared: what opens them, and the stages that they go through."""

    open: Callable[..., Any]
    stages: Callable[[Any, Image], list[_Stage]]


_COMPARED: Final[Mapping[str, _Compared]] = MappingProxyType(
    {
        "keypoints": _Compared(KeypointModel, _keypoint_stages),
        "detect": _Compared(Detector, _detector_stages),
        "people": _Compared(_open_people, _people_stages),
    }
)
