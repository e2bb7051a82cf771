"""A Paddle inference folder, read without Paddle: its files, and its program's inputs and outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pose_onnx.errors import ModelFileError
from pose_onnx.runtimes._protocol import TensorSpec

OLD_SUFFIX: Final = ".pdmodel"
NEW_SUFFIX: Final = ".json"
_PARAMS_SUFFIX: Final = ".pdiparams"
_PIR_START: Final = b'"base_code"'  # distinguishes a program from other JSON files
_PIR_START_WITHIN: Final = 64  # bytes
_DATA_OP, _FETCH_OP = "1.data", "1.fetch"
_FLOAT32: Final = "0.t_f32"


@dataclass(frozen=True, slots=True)
class Border:
    """Inputs and outputs of a program, in the program's order and with its names."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def find_files(folder: Path) -> tuple[Path, Path]:
    """Return the program and the weights of a folder.

    Raises:
        ModelFileError: There is not exactly one program, or its weights are missing.
    """
    programs = [path for path in sorted(folder.iterdir()) if path.suffix == OLD_SUFFIX or _is_pir(path)]
    if len(programs) != 1:
        raise ModelFileError(
            f"folder {str(folder)!r} contains {len(programs)} Paddle programs "
            f"{[p.name for p in programs]}; give one with a single {NEW_SUFFIX} or {OLD_SUFFIX} program "
            f"and its {_PARAMS_SUFFIX}"
        )
    weights = programs[0].with_suffix(_PARAMS_SUFFIX)
    if not weights.is_file():
        raise ModelFileError(
            f"folder {str(folder)!r} has {programs[0].name!r} but not its weights {weights.name!r}; "
            "copy them beside it"
        )
    return programs[0], weights


def _is_pir(path: Path) -> bool:
    if path.suffix != NEW_SUFFIX or not path.is_file():
        return False
    with path.open("rb") as stream:
        return _PIR_START in stream.read(_PIR_START_WITHIN)


def read_pir_border(content: bytes) -> Border:
    """Return the inputs and outputs of a `.json` program.

    Raises:
        ValueError: It is not an intact program.
    """
    try:
        operators = json.loads(content)["program"]["regions"][0]["blocks"][0]["ops"]
        found = {kind: tuple(_pir_specs(operators, kind)) for kind in (_DATA_OP, _FETCH_OP)}
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"it is JSON, but not a program: {error!r}") from error
    return Border(found[_DATA_OP], found[_FETCH_OP])


def _pir_specs(operators: list[dict[str, Any]], kind: str) -> Iterator[TensorSpec]:
    for operator in operators:
        if operator["#"] == kind:
            name = next(item["AT"]["D"] for item in operator["A"] if item["N"] == "name")
            element, shape, *_ = operator["O"][0]["TT"]["D"]
            yield make_spec(name, shape, "float32" if element["#"] == _FLOAT32 else element["#"])


def make_spec(name: str, shape: list[int], dtype: str) -> TensorSpec:
    """Return a spec for a shape of Paddle's, in which -1 is a free size."""
    return TensorSpec(name, tuple(None if size < 0 else int(size) for size in shape), dtype)
