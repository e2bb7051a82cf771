"""Facts read from a Paddle program: how it selects boxes, what it requires and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from pose_onnx.core.arrays import F32
from pose_onnx.errors import ExportError
from pose_onnx.exporters.outputs._export import Shape

FLOAT32: Final = "float32"


@dataclass(frozen=True, slots=True)
class NmsKind:
    """An operator that selects boxes.

    Its first two inputs are the boxes (N, A, 4) and the scores (N, C, A).

    Attributes:
        slots: names of these inputs in programs before PIR.
        select: the core's replacement, chosen by the attributes: a name from `SELECTORS` of the kind "boxes".
        required: attributes that must have these values, because the core only selects boxes that way.
    """

    slots: tuple[str, str]
    select: Callable[[Mapping[str, float]], str]
    required: Mapping[str, float]


NMS_KINDS: Final[Mapping[str, NmsKind]] = MappingProxyType(
    {
        "multiclass_nms3": NmsKind(
            ("BBoxes", "Scores"), lambda _: "hard", MappingProxyType({"normalized": 1, "nms_eta": 1})
        ),
        "matrix_nms": NmsKind(
            ("BBoxes", "Scores"),
            lambda given: "matrix_gaussian" if given["use_gaussian"] else "matrix_linear",
            MappingProxyType({"normalized": 0}),
        ),
    }
)
"""By Paddle's name of the operator. The graph is cut before it: the core selects boxes itself."""

SIDE_INPUTS: Final[Mapping[str, Callable[[tuple[int, int]], F32]]] = MappingProxyType(
    {
        "scale_factor": lambda _: np.ones((1, 2), np.float32),
        "im_shape": lambda size: np.array([size], np.float32),
    }
)
"""Other inputs of detectors, made from the input's (H, W) so that boxes are in input pixels."""

NO_CONVERTER: Final = (
    "distribute_fpn_proposals",
    "generate_proposals",
    "generate_proposals_v2",
    "while",
)
"""Operators of PaddleDetection's models that paddle2onnx 2.1.0 cannot express in this package's opset."""


@dataclass(frozen=True, slots=True)
class Nms:
    """The suppression of a program.

    Attributes:
        kind: Paddle's name for the operator.
        boxes, scores: shapes of its inputs; -1 is a free size.
        attributes: numeric attributes of the operator.
    """

    kind: str
    boxes: Shape
    scores: Shape
    attributes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Program:
    """What a program returns.

    Attributes:
        outputs: shapes of its floating point outputs, in its order; -1 is a free size.
        nms: how it selects boxes, if it does.
        clips: whether boxes are clipped to the picture before that.
        centers: shapes of the maps of centres, sizes and offsets, if it looks for peaks in them.
    """

    outputs: tuple[Shape, ...]
    nms: Nms | None
    clips: bool = False
    centers: tuple[Shape, ...] = ()


def program_from_json(data: Mapping[str, Any]) -> Program:
    """Read the facts that the worker found."""
    nms = data["nms"]
    return Program(
        tuple(tuple(shape) for shape in data["outputs"]),
        nms and Nms(nms["kind"], tuple(nms["boxes"]), tuple(nms["scores"]), nms["attributes"]),
        data["clips"],
        tuple(tuple(shape) for shape in data["centers"]),
    )


def demand_known(operators: Iterable[str]) -> None:
    """Refuse operators that cannot be converted to ONNX, before paddle2onnx ends the process.

    Raises:
        ExportError: there are such operators; the message names them.
    """
    if unknown := sorted({*operators} & {*NO_CONVERTER}):
        remedy = "only models without them can be exported"
        if any("proposals" in name for name in unknown):
            remedy = "two-stage detectors are exported if they have a feature pyramid"
        raise ExportError(
            f"the program has the operators {unknown}, which paddle2onnx cannot convert; {remedy}"
        )
