"""Model cards: all that is needed to run a model, as data that travels inside the model's file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal, cast

from pose_onnx.errors import CardError

CARD_KEY: Final = "pose_onnx.card"
"""Name of the metadata entry (ONNX) or metadata buffer (TFLite) that holds the card as JSON."""

Task = Literal["detect", "keypoints"]


@dataclass(frozen=True, slots=True)
class HeatmapSpec:
    """How to read keypoints out of heatmaps.

    Attributes:
        stride: Input pixels per heatmap cell; a joint at input pixel x has its peak at cell x / stride.
        blur_kernel: Side of the Gaussian that DARK smooths with, odd (docs/accuracy.md).
    """

    stride: int = 4
    blur_kernel: int = 3


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """How to read boxes out of a detector's outputs.

    Attributes:
        heads: "decoded" (outputs `boxes` and `scores`), or "distribution": per level one tensor of class
            probabilities (N, A, C) and one of box-edge distributions (N, A, 4 * bins).
        strides: Input pixels per cell of each level ("distribution" only), finest first.
        bins: Number of bins of an edge's distribution, bin i standing for i strides.
        score_outputs: Names of the class tensors, one a stride.
        box_outputs: Names of the distribution tensors, one a stride.
        nms_iou: Two boxes of one class that overlap by more are one object.
        max_boxes: The best so many boxes are kept.
    """

    heads: Literal["decoded", "distribution"] = "decoded"
    strides: tuple[int, ...] = (8, 16, 32, 64)
    bins: int = 8
    score_outputs: tuple[str, ...] = ()
    box_outputs: tuple[str, ...] = ()
    nms_iou: float = 0.6
    max_boxes: int = 100


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that the core must know of a model. Stored as JSON in `models/` and inside each export.

    Attributes:
        name: Official name, for example "tinypose_128x96".
        task: "detect" (boxes) or "keypoints" (heatmaps of one person's crop).
        architecture: Which network of `pose_onnx.exporters.networks` the weights belong to.
        input_size: Height and width of the network's input, pixels.
        mean: Per channel, subtracted after scaling pixels to 0..1; in the order of `color`.
        std: Per channel, divided by after that.
        color: Channel order of the network's input.
        classes: Names of a detector's classes.
        keypoints: Names of a keypoint model's joints.
        flip_pairs: Index pairs of joints that swap when the image is mirrored.
        skeleton: Index pairs of joints to join when drawing.
        oks_sigmas: For each joint, how far annotators disagree, relative to the person's size: half of k in
            COCO's object keypoint similarity. Empty: COCO's own, for its 17 joints.
        heatmap: How to decode, for "keypoints".
        box: How to decode, for "detect".
        download: Address of the official checkpoint.
        sha256: Of what is downloaded, in hexadecimal, if it is known beforehand.
        source: Where the weights come from and how they were made.
        limits: What the model is not good at.
        published: Published accuracy, with where it was published.
        license: SPDX identifier of the weights' licence.
    """

    name: str
    task: Task
    architecture: str
    input_size: tuple[int, int]
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # of ImageNet, RGB
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    color: Literal["rgb", "bgr"] = "rgb"
    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    oks_sigmas: tuple[float, ...] = ()
    heatmap: HeatmapSpec = field(default_factory=HeatmapSpec)
    box: BoxSpec = field(default_factory=BoxSpec)
    download: str = ""
    sha256: str = ""
    source: str = ""
    limits: str = ""
    published: str = ""
    license: str = ""

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise CardError(f"model card {self.name!r}: {problem}")

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs that the model's file must have."""
        if self.task == "keypoints":
            return ("heatmaps",)
        if self.box.heads == "decoded":
            return ("boxes", "scores")
        return self.box.score_outputs + self.box.box_outputs

    def to_json(self) -> str:
        """Return the card as JSON text; `from_json` is the inverse."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read a card.

        Raises:
            CardError: Not JSON, a field is unknown or missing, or a value cannot be.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise CardError(
                f"the model card is not JSON ({error}); write it like those in models/"
            ) from error
        return cast("ModelCard", _build(cls, data, "model card"))


def _build(cls: type, data: object, where: str) -> object:
    if not isinstance(data, Mapping):
        raise CardError(f"{where} is a {type(data).__name__}; it must be a JSON object")
    known = {item.name for item in fields(cls)}
    if unknown := sorted(set(data) - known):
        raise CardError(f"{where} has the unknown fields {unknown}; known are {sorted(known)}")
    nested: dict[str, Callable[[Any], object]] = {
        "heatmap": lambda value: _build(HeatmapSpec, value, f"{where}, heatmap"),
        "box": lambda value: _build(BoxSpec, value, f"{where}, box"),
    }
    values = {name: nested[name](value) if name in nested else _tuples(value) for name, value in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise CardError(f"{where} is incomplete: {error}") from error


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _problems(card: ModelCard) -> list[str]:
    """Say what is wrong with a card's values, in whole sentences."""
    checks = {
        f"task is {card.task!r}; it must be 'detect' or 'keypoints'": card.task in ("detect", "keypoints"),
        f"input_size is {card.input_size!r}; it must be two whole numbers of 1 or more, height and width": (
            _is_ints(card.input_size, 2) and min(card.input_size) > 0
        ),
        f"color is {card.color!r}; it must be 'rgb' or 'bgr'": card.color in ("rgb", "bgr"),
        "mean and std must be three numbers each, std above 0": (
            len(card.mean) == len(card.std) == 3 and min(card.std) > 0  # noqa: PLR2004 (colour channels)
        ),
        "a keypoint model must name its keypoints": card.task != "keypoints" or bool(card.keypoints),
        "a detector must name its classes": card.task != "detect" or bool(card.classes),
        "flip_pairs and skeleton must be pairs of keypoint indices": all(
            _is_ints(pair, 2) and min(pair) >= 0 and max(pair) < len(card.keypoints)
            for pair in (*card.flip_pairs, *card.skeleton)
        ),
        f"sha256 is {card.sha256!r}; it must be 64 hexadecimal digits in lower case, or empty": bool(
            re.fullmatch("([0-9a-f]{64})?", card.sha256)
        ),
        "oks_sigmas must be one positive number for each keypoint, or empty": (
            not card.oks_sigmas or (len(card.oks_sigmas) == len(card.keypoints) and min(card.oks_sigmas) > 0)
        ),
        f"heatmap.stride is {card.heatmap.stride!r}; it must be a whole number of 1 or more": (
            _is_ints((card.heatmap.stride,), 1) and card.heatmap.stride > 0
        ),
        f"heatmap.blur_kernel is {card.heatmap.blur_kernel!r}; it must be odd and 1 or more": (
            _is_ints((card.heatmap.blur_kernel,), 1)
            and card.heatmap.blur_kernel > 0
            and card.heatmap.blur_kernel % 2 == 1
        ),
        f"box.heads is {card.box.heads!r}; it must be 'decoded' or 'distribution'": (
            card.box.heads in ("decoded", "distribution")
        ),
        "box.score_outputs and box.box_outputs must name one tensor for each of box.strides": (
            card.box.heads == "decoded"
            or len(card.box.score_outputs) == len(card.box.box_outputs) == len(card.box.strides) > 0
        ),
    }
    return [sentence for sentence, holds in checks.items() if not holds]


def _is_ints(values: object, count: int) -> bool:
    return isinstance(values, tuple) and len(values) == count and all(type(value) is int for value in values)
