"""The file of a template: an ONNX model without parameters, compressed."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import ExportError, ModelFileError
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.outputs import ActionLogitsOutput

SUFFIX: Final = ".onnx.xz"
PROOF_KEY: Final = "pose_onnx.template"
"""Name of the metadata entry that holds the proof as JSON."""
LARGEST: Final = 64 << 20
"""Most bytes of a template's graph; our largest one has 2 MB."""

Parameters = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was measured when a template was made.

    Attributes:
        versions: Versions of Paddle, paddle2onnx and ONNX Runtime.
        errors: Largest differences between Paddle and ONNX Runtime with random weights, by input and output.
        joints: Number of keypoints K; 0 for other networks.
        joint_parameters: Parameters whose first axis is K or a multiple of it. With another K, their size
            changes, and nothing else in the graph.
        classes: Number of classes C.
        class_parameters: The same for C, in an action model. A detector's graph is made for one C.
    """

    versions: Mapping[str, str]
    errors: Mapping[str, float]
    joints: int = 0
    joint_parameters: tuple[str, ...] = ()
    classes: int = 0
    class_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A network without its weights.

    Attributes:
        name: Name of its file, without suffix.
        model: The graph; each placeholder is a tensor without data whose `doc_string` is the parameter's
            name.
        proof: How the template is known to be right.
    """

    name: str
    model: onnx.ModelProto
    proof: Proof

    def shapes(self, card: ModelCard) -> dict[str, tuple[int, ...]]:
        """Return name and shape of each parameter that a checkpoint of this card must have."""
        found = {hole.doc_string: tuple(hole.dims) for hole in _holes(self.model)}
        sizes = {
            name: found[name][0] // made_with * wanted
            for made_with, names, wanted in (
                (self.proof.joints, self.proof.joint_parameters, len(card.keypoints)),
                (self.proof.classes, self.proof.class_parameters, len(card.classes)),
            )
            for name in names
        }
        return {name: (sizes.get(name, shape[0]), *shape[1:]) for name, shape in found.items()}

    def fill(self, parameters: Parameters) -> Graph:
        """Return the network with weights: paddle2onnx's model, with constants inlined.

        Args:
            parameters: An array for each placeholder, of the shape that `shapes` returns. They are not
                copied.
        """
        graph = Graph.from_model(self.model)
        constants = [node for node in graph.of_type("Constant") if "value" in node.attributes]
        for node in constants:
            tensor = node.attributes["value"]
            name = tensor.doc_string
            graph.constants[node.outputs[0]] = parameters[name] if name else numpy_helper.to_array(tensor)
        graph.drop(constants)
        proof, before = self.proof, {hole.doc_string: hole.dims[0] for hole in _holes(self.model)}
        for names in (proof.joint_parameters, proof.class_parameters):
            sizes = {before[name]: len(parameters[name]) for name in names}
            graph.outputs = [_resized(output, sizes) for output in graph.outputs]
        return graph


def template_name(card: ModelCard) -> str:
    """Return the name of the template that a card's network needs.

    A graph depends on the architecture, the input's size and, because of the shapes of its outputs, on the
    number of a detector's classes. The numbers of a keypoint model's joints and of actions only affect the
    sizes of parameters.
    """
    size = "x".join(map(str, card.input_shape[1:]))
    classes = f"_{len(card.classes)}" if card.classes and card.task != ActionLogitsOutput.task else ""
    return f"{card.architecture}_{size}{classes}"


def make_template(model: onnx.ModelProto, parameters: Parameters, proof: Proof) -> bytes:
    """Replace the parameters in a model of paddle2onnx by placeholders.

    Args:
        model: Made by paddle2onnx from a network with exactly these parameters.
        parameters: Its parameters. No two are equal, so that each is identified by its content.
        proof: Stored with the template.

    Raises:
        ExportError: A parameter is not in the graph unchanged, so no template can be made.
    """
    by_content = {_content(array): name for name, array in parameters.items()}
    if len(by_content) != len(parameters):
        raise ExportError("two parameters are equal, so they cannot be distinguished; use random ones")
    hollow = onnx.ModelProto()
    hollow.CopyFrom(model)
    for tensor in _tensors(hollow):
        name = by_content.get(_content(numpy_helper.to_array(tensor)))
        if name is not None:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
            tensor.doc_string = name
    found = {hole.doc_string for hole in _holes(hollow)}
    if missing := sorted(parameters.keys() - found):
        raise ExportError(
            f"the parameters {missing} are not in the graph unchanged, so no template can be made"
        )
    hollow.metadata_props.add(key=PROOF_KEY, value=json.dumps(asdict(proof), sort_keys=True))
    content = hollow.SerializeToString(deterministic=True)
    return lzma.compress(content, lzma.FORMAT_XZ, lzma.CHECK_CRC64, lzma.PRESET_EXTREME | 9)


def read_template(name: str, content: bytes) -> Template:
    """Read a template's file.

    Raises:
        ModelFileError: It is damaged.
    """
    try:
        data = lzma.LZMADecompressor(memlimit=LARGEST * 2).decompress(content, LARGEST)
        model = onnx.ModelProto()
        model.ParseFromString(data)
        (text,) = (entry.value for entry in model.metadata_props if entry.key == PROOF_KEY)
        values: dict[str, Any] = json.loads(text)
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        proof = Proof(**values | lists)
    except Exception as error:  # lzma, protobuf and JSON have no common base class of errors
        raise ModelFileError(
            f"the template {name!r} of this installation is damaged ({error}); install pose-onnx again"
        ) from error
    return Template(name, model, proof)


def _resized(output: TensorInfo, sizes: Mapping[int, int]) -> TensorInfo:
    """Set the number of joints or classes in the shape of an output (N, K, ...).

    Args:
        output: An output of a template.
        sizes: New numbers of joints or classes, by those of the template.
    """
    batch, found, *others = output.shape
    size = sizes.get(found, found) if isinstance(found, int) else found
    return replace(output, shape=(batch, size, *others))


def _content(array: NDArray[Any]) -> tuple[tuple[int, ...], str, bytes]:
    return array.shape, array.dtype.str, array.tobytes()


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Yield the values of a model's constants."""
    yield from model.graph.initializer
    for node in model.graph.node:
        if node.op_type == "Constant":
            yield from (attribute.t for attribute in node.attribute if attribute.name == "value")


def _holes(model: onnx.ModelProto) -> Iterator[TensorProto]:
    return (tensor for tensor in _tensors(model) if tensor.doc_string)
