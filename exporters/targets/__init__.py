"""File formats that an export writes: a target is one file here and one line in `TARGETS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from pose_onnx.exporters.targets.material import Candidate, Material

Kind = tuple[str, str]
"""Format and precision."""


@dataclass(frozen=True, slots=True)
class Writer:
    """How files of one format and precision are written.

    Attributes:
        function: "module:function": takes a `Material` and yields the candidate files, in the order to
            try.
        packages: Import names of the packages it needs in addition to those of the format.
        install: Argument for `pip install` if one is missing.
        check: "module:function": takes a finished file and the reference, and raises an `ExportError` if
            they do not compute the same. Empty if nothing is checked beside what the receipt says.
    """

    function: str
    packages: tuple[str, ...] = ()
    install: str = ""
    check: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One file format.

    Attributes:
        packages: Import names of the packages that every file of the format needs.
        install: Argument for `pip install` if one is missing.
        writers: How each precision is written.
    """

    packages: tuple[str, ...]
    install: str
    writers: Mapping[str, Writer]


_HERE: Final = "pose_onnx.exporters.targets"
_INT8: Final = "pose_onnx.exporters.quantize"

_QUANTIZER: Final = (("ai_edge_quantizer",), "'pose-onnx[export]' (Python 3.10 to 3.12)")

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "onnx": Target(
            ("onnx", "onnxruntime"),
            "pose-onnx",
            MappingProxyType(
                {
                    "fp32": Writer(f"{_HERE}.onnx:float32"),
                    "fp16": Writer(f"{_HERE}.onnx:float16_weights"),
                    "int8-dynamic": Writer(f"{_INT8}.onnx:int8_weights"),
                    "int8": Writer(f"{_INT8}.onnx:int8"),
                }
            ),
        ),
        "tflite": Target(
            ("ai_edge_litert", "flatbuffers"),
            "'pose-onnx[tflite]'",
            MappingProxyType(
                {
                    "fp32": Writer(f"{_HERE}.tflite:float32", check=f"{_HERE}.tflite:check_float32"),
                    "fp16": Writer(f"{_HERE}.tflite:float16_weights", check=f"{_HERE}.tflite:check_float16"),
                    "int8-dynamic": Writer(f"{_INT8}.tflite:int8_weights", *_QUANTIZER),
                    "int8": Writer(f"{_INT8}.tflite:int8", *_QUANTIZER),
                }
            ),
        ),
    }
)
FORMATS: Final = tuple(TARGETS)
PRECISIONS: Final = tuple(dict.fromkeys(name for target in TARGETS.values() for name in target.writers))
REFERENCE: Final[Kind] = ("onnx", "fp32")
"""What all other files are compared with."""


def candidates(kind: Kind, material: Material) -> Iterator[Candidate]:
    """Yield the candidate files of a format and precision, in the order to try."""
    file_format, precision = kind
    place = TARGETS[file_format].writers[precision].function
    writer = cast("Callable[[Material], Iterator[Candidate]]", resolve_name(place))
    return writer(material)


def check(kind: Kind, file: Path, reference: Path) -> None:
    """Check that a finished file computes the same as the reference, as far as its writer asks for it.

    Raises:
        ExportError: It does not.
    """
    file_format, precision = kind
    if place := TARGETS[file_format].writers[precision].check:
        resolve_name(place)(file, reference)
