"""A model repository for NVIDIA's Triton Inference Server.

https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md

Each end-to-end file is one model. Each network alone is another, which Triton batches dynamically.
A detector and a keypoint model also form an ensemble: picture in, poses out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import onnx
from onnx import TensorProto

from pose_onnx.cards.card import CARD_KEY, ModelCard
from pose_onnx.runtimes._traits import ACCELERATOR_RUN_PIXELS

if TYPE_CHECKING:
    from pose_onnx.exporters.finished import Finished

ENSEMBLE: Final = "poses"
VERSION: Final = "1"
"""Name of the folder of a model's only version."""
_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {TensorProto.FLOAT: "TYPE_FP32", TensorProto.UINT8: "TYPE_UINT8"}
)
_ENSEMBLE_CONFIG: Final = """\
name: "{name}"
platform: "ensemble"
max_batch_size: 0
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] }}
]
output [
  {{ name: "boxes" data_type: TYPE_FP32 dims: [ -1, 4 ] }},
  {{ name: "box_scores" data_type: TYPE_FP32 dims: [ -1 ] }},
  {{ name: "keypoints" data_type: TYPE_FP32 dims: [ -1, {joints}, 2 ] }},
  {{ name: "scores" data_type: TYPE_FP32 dims: [ -1, {joints} ] }}
]
ensemble_scheduling {{
  step [
    {{
      model_name: "{detector}"
      model_version: -1
      input_map {{ key: "image" value: "image" }}
      output_map {{ key: "boxes" value: "boxes" }}
      output_map {{ key: "scores" value: "box_scores" }}
    }},
    {{
      model_name: "{pose}"
      model_version: -1
      input_map {{ key: "image" value: "image" }}
      input_map {{ key: "boxes" value: "boxes" }}
      output_map {{ key: "keypoints" value: "keypoints" }}
      output_map {{ key: "scores" value: "scores" }}
    }}
  ]
}}
"""


def files(models: Sequence[Finished], photo: Path | None) -> dict[str, bytes]:
    """Return a model repository of one or two models, by path; see `lay_out`.

    Raises:
        ExportError: An end-to-end file cannot be made of a model.
    """
    del photo
    contents = {path: data for model in models for path, data in _models_of(model)}
    if len(models) > 1:
        detector, pose = models
        config = _ENSEMBLE_CONFIG.format(
            name=ENSEMBLE,
            joints=len(pose.card.keypoints),
            detector=Path(detector.end_to_end_name).stem,
            pose=Path(pose.end_to_end_name).stem,
        )
        # Triton also requires a version folder for an ensemble, although there is nothing to put into it.
        contents |= {f"{ENSEMBLE}/config.pbtxt": config.encode(), f"{ENSEMBLE}/{VERSION}/.keep": b""}
    return contents


def largest_batch(card: ModelCard) -> int:
    """Return the number of inputs in one run that this package would give an accelerator."""
    return max(1, ACCELERATOR_RUN_PIXELS // math.prod(card.picture.size))


def _models_of(model: Finished) -> Iterator[tuple[str, bytes]]:
    """Yield the file of an end-to-end model, and that of the network alone if there is one."""
    versions = [(model.end_to_end_name, model.end_to_end)]
    if not model.is_end_to_end:
        versions.append((model.path.name, model.path.read_bytes()))
    for file_name, content in versions:
        name = Path(file_name).stem
        yield f"{name}/config.pbtxt", _config(name, onnx.load_from_string(content), model).encode()
        yield f"{name}/{VERSION}/model.onnx", content


def _config(name: str, content: onnx.ModelProto, model: Finished) -> str:
    """Return a model's configuration in the text format of model_config.proto."""
    batch = _largest_batch(content.graph, model)
    card = model.card.to_json().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "")
    return "\n".join(
        [
            f'name: "{name}"',
            'backend: "onnxruntime"',
            'default_model_filename: "model.onnx"',
            f"max_batch_size: {batch}",
            *(["dynamic_batching { }"] if batch else []),
            *_tensors("input", content.graph.input, batched=batch > 0),
            *_tensors("output", content.graph.output, batched=batch > 0),
            f'parameters {{ key: "{CARD_KEY}" value {{ string_value: "{card}" }} }}',
            "",
        ]
    )


def _largest_batch(graph: onnx.GraphProto, model: Finished) -> int:
    """Return the largest batch of a network by its card; 0 for a file whose first axis is not a batch.

    The latter are end-to-end files, for pictures of any size with any number of people. Triton only batches
    equal shapes, and an end-to-end file batches the people itself.
    """
    (tensor, *others) = graph.input
    is_network = not others and len(_sizes(tensor)) == 1 + len(model.card.input_shape)
    if not is_network or _sizes(tensor)[0] > 0:
        return 0
    return largest_batch(model.card)


def _tensors(field: str, tensors: Sequence[onnx.ValueInfoProto], *, batched: bool) -> Iterator[str]:
    """Write inputs or outputs; Triton adds the axis of a batch itself."""
    for tensor in tensors:
        kind = _TYPES[tensor.type.tensor_type.elem_type]
        sizes = ", ".join(map(str, _sizes(tensor)[int(batched) :]))
        yield f'{field} {{ name: "{tensor.name}" data_type: {kind} dims: [ {sizes} ] }}'


def _sizes(tensor: onnx.ValueInfoProto) -> list[int]:
    """Return a tensor's shape, -1 for each free axis."""
    return [axis.dim_value or -1 for axis in tensor.type.tensor_type.shape.dim]
