"""Configurations for DeepStream's Gst-nvinfer, with networks that fit its pixel format and its parser.

https://docs.nvidia.com/metropolis/deepstream/dev-guide/text/DS_plugin_gst-nvinfer.html

Gst-nvinfer has one factor for all channels, but a card has a standard deviation for each. So the
normalisation is part of the network. Without a custom library, Gst-nvinfer reads boxes in one form only,
the grid of NVIDIA's DetectNet, so the detector's boxes are written as such a grid with one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from onnx import TensorProto

from pose_onnx.errors import ExportError
from pose_onnx.exporters.end_to_end._boxes import person_class
from pose_onnx.exporters.end_to_end._network import PRESET, add_output, insert
from pose_onnx.exporters.end_to_end._normalize import normalize
from pose_onnx.exporters.end_to_end._places import demand_resize
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.exporters.layouts.triton import largest_batch
from pose_onnx.outputs import BoxOutput
from pose_onnx.outputs.heatmaps import HEATMAPS

if TYPE_CHECKING:
    from pose_onnx.exporters.finished import Finished

BOX_NORM: Final = 35.0
"""Input pixels per unit of DetectNet's boxes (bboxNorm in nvdsinfer_context_impl_output_parsing.cpp)."""
DETECTOR_ID, POSE_ID = 1, 2
_PROPERTY: Final = """\
[property]
onnx-file={file}
infer-dims=3;{height};{width}
# RGB, 0 to 255: the network normalises.
model-color-format=0
net-scale-factor=1
# Cubic on a GPU, as pose-onnx resizes.
scaling-filter=2
# Float32; 2 for float16.
network-mode=0
gie-unique-id={unique_id}
"""
_DETECTOR: Final = """\
# As many as there are streams.
batch-size=1
process-mode=1
network-type=0
maintain-aspect-ratio=0
labelfile-path={labels}
num-detected-classes=1
# Non-maximum suppression.
cluster-mode=2

[class-attrs-all]
pre-cluster-threshold={threshold}
nms-iou-threshold={iou}
topk={most}
"""
_POSE: Final = """\
batch-size={batch}
process-mode=2
operate-on-gie-id={detector_id}
operate-on-class-ids=0
maintain-aspect-ratio=1
symmetric-padding=1
# Heatmaps come as NvDsInferTensorMeta of each object.
network-type=100
output-tensor-meta=1
"""


def files(models: Sequence[Finished], photo: Path | None) -> dict[str, bytes]:
    """Return configurations, labels and networks of one or two models; see `lay_out`.

    Raises:
        ExportError: Gst-nvinfer does not support a model's kind of output, or a file is an end-to-end file.
    """
    del photo
    contents: dict[str, bytes] = {}
    for model in models:
        if model.card.output.kind not in _WRITERS:
            raise ExportError(
                f"{model.card.name!r} has the output {model.card.output.kind!r}, for which there is no "
                f"DeepStream layout; choose a model with one of {list(_WRITERS)}"
            )
        contents |= _WRITERS[model.card.output.kind](model)
    return contents


def _detector(model: Finished) -> dict[str, bytes]:
    # Gst-nvinfer can pad a picture that it resizes, but not as any of our resize modes.
    demand_resize(model.card, ("stretch",), "DeepStream's layout")
    name, spec = model.card.name, cast("BoxOutput", model.card.output)
    text = _property(model, DETECTOR_ID) + _DETECTOR.format(
        labels=f"{name}.labels.txt",
        threshold=PRESET.threshold,
        iou=spec.nms_iou,
        most=spec.max_boxes,
    )
    graph, outputs = _with_normalization(model)
    _write_grid(outputs["boxes"], outputs["scores"], model)
    return _together(model, text, graph, ["person"])


def _pose(model: Finished) -> dict[str, bytes]:
    batch = largest_batch(model.card)
    text = _property(model, POSE_ID) + _POSE.format(batch=batch, detector_id=DETECTOR_ID)
    graph, outputs = _with_normalization(model)
    _, *sizes = (axis or "N" for axis in model.card.output.shapes(model.card)[HEATMAPS])
    add_output(outputs[HEATMAPS], HEATMAPS, ("N", *sizes))
    return _together(model, text, graph, model.card.keypoints)


def _property(model: Finished, unique_id: int) -> str:
    height, width = model.card.picture.size
    return _PROPERTY.format(file=f"{model.card.name}.onnx", height=height, width=width, unique_id=unique_id)


def _with_normalization(model: Finished) -> tuple[Graph, dict[str, Value]]:
    """Return a graph from RGB pixels, (N, 3, h, w) float32 from 0 to 255, to the network's outputs."""
    network = Graph.from_model(model.demand_network("the layout for DeepStream"))
    name = network.inputs[0].name
    graph = Graph([], {}, [TensorInfo(name, TensorProto.FLOAT, ("N", *model.card.input_shape))], [])
    pixels = Value(graph, name, np.dtype(np.float32))
    return graph, insert(network, normalize(pixels, model.card.picture))


def _write_grid(boxes: Value, scores: Value, model: Finished) -> None:
    """Write (N, A, 4) boxes and (N, A, C) scores as the parser's grid, one cell per anchor.

    The parser computes one corner as (centre of its cell - value) * `BOX_NORM`, the opposite one as the sum.
    """
    (anchors,) = (
        tensor.type.tensor_type.shape.dim[1].dim_value
        for tensor in model.model.graph.output
        if tensor.name == "boxes"
    )
    if not anchors:
        raise ExportError(
            f"{str(model.path)!r} does not state its number of boxes, which DeepStream needs; export it "
            "with pose-onnx export"
        )
    _, width = model.card.picture.size
    step = -(-width // anchors)  # rounded up, as the parser does
    across = (np.arange(anchors) * step + 0.5) / BOX_NORM
    down = np.full(anchors, 0.5 / BOX_NORM)
    centers = np.stack([across, down, -across, -down])[None, :, None]
    signs = np.array([-1.0, -1.0, 1.0, 1.0])[None, :, None, None] / BOX_NORM
    grid = boxes.transpose(0, 2, 1).unsqueeze(2) * signs + centers
    people = scores.take([person_class(model.card)], axis=2).transpose(0, 2, 1).unsqueeze(2)
    # The parser finds them by "bbox" and "cov" in the names.
    add_output(grid, "bbox", ("N", len(signs[0]), 1, anchors))
    add_output(people, "cov", ("N", 1, 1, anchors))


def _together(model: Finished, text: str, graph: Graph, labels: Sequence[str]) -> dict[str, bytes]:
    name = model.card.name
    return {
        f"{name}.txt": text.encode(),
        f"{name}.labels.txt": "".join(f"{label}\n" for label in labels).encode(),
        f"{name}.onnx": bytes(graph.to_model().SerializeToString()),
    }


_WRITERS: Final[Mapping[str, Callable[[Finished], dict[str, bytes]]]] = MappingProxyType(
    {"boxes": _detector, "heatmaps": _pose}
)
"""By kind of output."""
