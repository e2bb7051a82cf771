"""The TFLite flatbuffer: tensors and operators are collected, then packed together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._view import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pose_onnx.exporters.tflite._operators import Operator, Version

SIGNATURE: Final = "serving_default"
_IDENTIFIER: Final = b"TFL3"
_SCHEMA_VERSION: Final = 3
_DESCRIPTION: Final = "pose-onnx"
# The schema requires this alignment of buffers: kernels read weights in place, with aligned loads.
_BUFFER_ALIGNMENT: Final = 16
# More bytes than a constant tensor takes beside its numbers, with its share of all other tables.
_TABLES_BYTES: Final = 2048
# Operators up to this number are also written to the field that old interpreters read.
_LAST_DEPRECATED_CODE: Final = 127
_MIN_RUNTIME: Final = "min_runtime_version"
_MIN_RUNTIME_LENGTH: Final = 16

_TYPES: Final[Mapping[type[np.generic], int]] = {
    np.float32: schema.TensorType.FLOAT32,
    np.float16: schema.TensorType.FLOAT16,
    np.int32: schema.TensorType.INT32,
}


@dataclass(slots=True)
class FileTensor:
    """A tensor of the file; it is constant if it has data. Its name may still change."""

    name: str
    extent: Extent
    data: NDArray[Any] | None = None
    dtype: type[np.generic] = np.float32

    @property
    def type(self) -> int:
        """Its element type in the schema."""
        return _TYPES[self.dtype if self.data is None else self.data.dtype.type]


@dataclass(slots=True)
class FileOperator:
    """An operator of the file, with the indices of the tensors that it reads and the one it writes."""

    operator: Operator
    version: Version
    inputs: tuple[int, ...]
    output: int
    options: Any


class TfliteFile:
    """The content of a TFLite file with one subgraph."""

    def __init__(self) -> None:
        self.tensors: list[FileTensor] = []
        self.operators: list[FileOperator] = []
        self.writers: dict[int, FileOperator] = {}
        self._constants: dict[tuple[Any, ...], int] = {}
        self._names: dict[str, int] = {}

    def add_tensor(self, name: str, extent: Extent, dtype: type[np.generic] = np.float32) -> int:
        """Add a tensor that an operator will write, or an input; return its index."""
        self.tensors.append(FileTensor(self._unique(name), extent, dtype=dtype))
        return len(self.tensors) - 1

    def add_constant(self, name: str, data: NDArray[Any]) -> int:
        """Add a constant, or find the one that already holds the same numbers; return its index.

        The array is kept as it is, in whatever order its numbers are in memory, until the file is packed.
        """
        key = (data.dtype.str, data.shape, sha256(data.tobytes()).digest())
        if key not in self._constants:
            self.tensors.append(FileTensor(self._unique(name), Extent(data.shape), data))
            self._constants[key] = len(self.tensors) - 1
        return self._constants[key]

    def add_operator(self, operator: Operator, inputs: Sequence[int], output: int, options: Any) -> None:
        """Add an operator that writes one tensor."""
        sizes = [self.tensors[index].extent.sizes for index in inputs]
        # Kernels restrict the rank only if they broadcast, or if a second input describes the axes.
        rank = 0 if len(set(sizes)) == 1 else max(len(size) for size in sizes)
        version = operator.version(rank)
        self.writers[output] = FileOperator(operator, version, tuple(inputs), output, options)
        self.operators.append(self.writers[output])

    def pack(
        self, inputs: Mapping[str, int], outputs: Mapping[str, int], metadata: Mapping[str, bytes]
    ) -> bytes:
        """Write the file.

        Args:
            inputs: Tensor index of every input, by its signature name.
            outputs: Tensor index of every output, by its signature name.
            metadata: Content of every metadata entry, by name.
        """
        operators = self._with_copies(self._needed(set(outputs.values())))
        used = {*inputs.values(), *outputs.values()}
        used.update(index for item in operators for index in (*item.inputs, item.output))
        # Constants may have been moved or folded since they were added.
        number = {index: place for place, index in enumerate(sorted(used))}
        buffers = [Buffer(np.empty(0, np.uint8))]
        codes = sorted({(item.operator.code, item.version.number) for item in operators})
        subgraph = schema.SubGraphT(
            tensors=[_tensor(self.tensors[index], buffers) for index in number],
            inputs=[number[index] for index in inputs.values()],
            outputs=[number[index] for index in outputs.values()],
            operators=[
                _operator(item, codes.index((item.operator.code, item.version.number)), number)
                for item in operators
            ],
            name="main",
        )
        entries = {_MIN_RUNTIME: _min_runtime(operators), **metadata}
        model = schema.ModelT(
            version=_SCHEMA_VERSION,
            operatorCodes=[_operator_code(code, version) for code, version in codes],
            subgraphs=[subgraph],
            description=_DESCRIPTION,
            metadata=[_metadata(name, content, buffers) for name, content in entries.items()],
            signatureDefs=[_signature(inputs, outputs, number)],
            buffers=buffers,
        )
        return pack_model(model)

    def rename(self, tensor: int, name: str) -> None:
        """Give a tensor this name; a tensor that already has it gets the old name in exchange."""
        for other in self.tensors:
            if other.name == name:
                other.name = self.tensors[tensor].name
        self.tensors[tensor].name = name

    def _needed(self, wanted: set[int]) -> list[FileOperator]:
        """Return the operators on which these tensors depend: some results are only read in another shape."""
        kept = []
        for item in reversed(self.operators):
            if item.output in wanted:
                wanted.update(item.inputs)
                kept.append(item)
        return kept[::-1]

    def _with_copies(self, operators: Sequence[FileOperator]) -> list[FileOperator]:
        """Copy a tensor that is read after its reshaped version was read.

        LiteRT 2.3 without XNNPACK lets the two tensors of a RESHAPE share their memory, and lets an operator
            such as SOFTMAX overwrite its input: a later reader of the first tensor would get wrong numbers.
        """
        result = []
        for place, item in enumerate(operators):
            later = operators[place + 1 :]
            source = item.inputs[0]
            last_reader = max((n for n, other in enumerate(later) if source in other.inputs), default=0)
            before_it = later[:last_reader]
            if item.operator == op.RESHAPE and any(item.output in other.inputs for other in before_it):
                extent = self.tensors[source].extent
                copied = self.add_tensor(f"{self.tensors[source].name}/copy", extent)
                axes = self.add_constant("permutation", np.arange(len(extent.sizes), dtype=np.int32))
                version, options = op.TRANSPOSE.version(len(extent.sizes)), op.TRANSPOSE.make_options()
                result.append(FileOperator(op.TRANSPOSE, version, (source, axes), copied, options))
                item = replace(item, inputs=(copied, *item.inputs[1:]))  # noqa: PLW2901 (its copy)
            result.append(item)
        return result

    def _unique(self, name: str) -> str:
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return f"{name}/{count}" if count else name


def _min_runtime(operators: Sequence[FileOperator]) -> bytes:
    numbers = [tuple(int(part) for part in item.version.since.split(".")) for item in operators]
    newest = ".".join(str(part) for part in max(numbers, default=(1, 5, 0)))
    return newest.encode().ljust(_MIN_RUNTIME_LENGTH, b"\0")


def pack_model(model: schema.ModelT) -> bytes:
    """Return the content of a file whose buffers are `Buffer` objects."""
    # A full builder doubles its memory.
    builder = flatbuffers.Builder(sum(buffer.content.nbytes + _TABLES_BYTES for buffer in model.buffers))
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer that packs itself aligned; the schema's own Python class forgets the alignment."""

    content: NDArray[Any]

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name by which the schema's classes call it
        array = self.content
        if array.size:
            builder.StartVector(1, array.nbytes, _BUFFER_ALIGNMENT)
            builder.head -= array.nbytes
            little_endian = array.dtype.newbyteorder("<")
            np.ndarray(array.shape, little_endian, builder.Bytes, builder.head)[...] = array
            data = builder.EndVector()
        schema.BufferStart(builder)
        if array.size:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def _add_buffer(buffers: list[Buffer], content: NDArray[Any]) -> int:
    buffers.append(Buffer(content))
    return len(buffers) - 1


def _tensor(tensor: FileTensor, buffers: list[Buffer]) -> Any:
    data = tensor.data
    return schema.TensorT(
        name=tensor.name,
        type=tensor.type,
        shape=list(tensor.extent.sizes),
        shapeSignature=None if tensor.extent.free is None else list(tensor.extent.signature),
        # Buffer 0 is the empty one: the tensor is computed.
        buffer=0 if data is None else _add_buffer(buffers, data),
    )


def _operator(item: FileOperator, code_index: int, number: Mapping[int, int]) -> Any:
    return schema.OperatorT(
        opcodeIndex=code_index,
        inputs=[number[index] for index in item.inputs],
        outputs=[number[item.output]],
        builtinOptionsType=item.operator.options_type,
        builtinOptions=item.options,
    )


def _operator_code(code: int, version: int) -> Any:
    return schema.OperatorCodeT(
        builtinCode=code, deprecatedBuiltinCode=min(code, _LAST_DEPRECATED_CODE), version=version
    )


def _metadata(name: str, content: bytes, buffers: list[Buffer]) -> Any:
    return schema.MetadataT(name=name, buffer=_add_buffer(buffers, np.frombuffer(content, np.uint8)))


def _signature(inputs: Mapping[str, int], outputs: Mapping[str, int], number: Mapping[int, int]) -> Any:
    return schema.SignatureDefT(
        signatureKey=SIGNATURE,
        subgraphIndex=0,
        inputs=[schema.TensorMapT(name, number[index]) for name, index in inputs.items()],
        outputs=[schema.TensorMapT(name, number[index]) for name, index in outputs.items()],
    )
