"""Read training checkpoints: arrays by parameter name, and nothing else.

A `.pdparams` file is a pickle, and a pickle may run any code. It is read by an
unpickler that knows NumPy arrays and builtin containers only; whatever else a
file asks for is an error before anything is called.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.errors import ModelFileError

Parameters = dict[str, NDArray[np.float32]]

NAME_TABLE: Final = "StructuredToParameterName@@"
"""Entry by which paddle.save keeps its own names of the parameters; not a parameter."""
SLICE_TABLE: Final = "UnpackBigParamInfor@@"
"""Entry of paddle.save that says which arrays were cut in slices (over 1 GiB at pickle protocol 2, 3)."""
LISTED: Final = 12
"""So many names of one kind go into an error message; more are counted."""


def read_checkpoint(path: Path) -> Parameters:
    """Read the parameters of a checkpoint.

    Args:
        path: `.pdparams` (paddle.save, pickle protocols 2 to 5), or `.npz` of the same names.

    Returns:
        float32 arrays by parameter name.

    Raises:
        ModelFileError: the file is missing, empty, broken, of another kind, or asks for code to be run.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelFileError(f"{str(path)!r} is no checkpoint; give a file that ends in one of {[*READERS]}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"checkpoint {str(path)!r} cannot be read ({error.strerror or error})"
        ) from error
    if not content:
        raise ModelFileError(f"checkpoint {str(path)!r} is empty; download it again")
    parameters = {name: _as_float32(value) for name, value in reader(content, path).items()}
    if strange := [name for name, value in parameters.items() if value is None]:
        raise ModelFileError(
            f"checkpoint {str(path)!r} holds things that are no numeric arrays: {_some(strange)}; "
            "give the weights of one network, as paddle.save(layer.state_dict(), ...) writes them"
        )
    return {name: value for name, value in parameters.items() if value is not None}


def match_parameters(
    given: Mapping[str, NDArray[np.float32]],
    expected: Mapping[str, tuple[int, ...]],
    *,
    aliases: Sequence[tuple[str, str]] = (),
    buffers: Sequence[str] = (),
) -> Parameters:
    """Choose the parameters that a network has.

    Args:
        given: arrays by name.
        expected: shape of each parameter of the network, by name.
        aliases: (pattern, replacement) of other names for the same parameters; the proper name wins.
        buffers: patterns of names that may be there and are not used.

    Returns:
        One array for each name in `expected`.

    Raises:
        ModelFileError: lists all parameters that are missing, unexpected, or of another shape.
    """
    known = {_proper(name, aliases): value for name, value in given.items()} | dict(given)
    known = {name: value for name, value in known.items() if _proper(name, aliases) == name}
    extra = [name for name in known.keys() - expected.keys() if not _is_one_of(name, buffers)]
    problems = {
        "missing": sorted(expected.keys() - known.keys()),
        "unexpected": sorted(extra),
        "of another shape": sorted(
            f"{name} {known[name].shape} instead of {tuple(shape)}"
            for name, shape in expected.items()
            if name in known and known[name].shape != tuple(shape)
        ),
    }
    if any(problems.values()):
        found = "; ".join(f"{len(v)} {kind}: {_some(v)}" for kind, v in problems.items() if v)
        raise ModelFileError(
            f"the checkpoint does not fit the network ({len(expected)} parameters): {found}; "
            "check that --model names what the checkpoint was trained as"
        )
    return {name: known[name] for name in expected}


def _proper(name: str, aliases: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in aliases:
        name = re.sub(pattern, replacement, name)
    return name


def _is_one_of(name: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _as_float32(value: object) -> NDArray[np.float32] | None:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return value.astype(np.float32)
    return None


class _Codec:
    """`_codecs.encode` as protocol 2 uses it: bytes that were written as a latin-1 string."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str = "latin1") -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"encoding {encoding!r}")
        return text.encode("latin1")


class _Lookup:
    """`eval("data", {"data": array})`: how paddle.save writes a bare tensor. Nothing is evaluated."""

    __slots__ = ()

    def __call__(self, name: str, scope: dict[str, Any]) -> Any:
        if name != "data":
            raise pickle.UnpicklingError(f"an expression to evaluate, {name!r}")
        return scope["data"]


def _numpy_globals() -> dict[tuple[str, str], Any]:
    # The callables that NumPy's own pickles name; the package moved from core to _core in 2.0.
    reconstruct = np.zeros(0).__reduce__()[0]
    scalar = np.float32(0).__reduce__()[0]
    frombuffer = np.zeros(1).__reduce_ex__(5)[0]
    known: dict[tuple[str, str], Any] = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
    for core in ("numpy.core", "numpy._core"):
        known[f"{core}.multiarray", "_reconstruct"] = reconstruct
        known[f"{core}.multiarray", "scalar"] = scalar
        known[f"{core}.numeric", "_frombuffer"] = frombuffer
    return known


_ALLOWED: Final[Mapping[tuple[str, str], Any]] = MappingProxyType(
    {
        **_numpy_globals(),
        ("_codecs", "encode"): _Codec(),
        ("builtins", "eval"): _Lookup(),
        ("__builtin__", "eval"): _Lookup(),
        **{
            (module, kind.__name__): kind
            for module in ("builtins", "__builtin__")
            for kind in (tuple, list, dict, set, frozenset, bytearray)
        },
        ("collections", "OrderedDict"): OrderedDict,
    }
)


class _ForbiddenError(pickle.UnpicklingError):
    """The pickle names something that is no array."""


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _ForbiddenError(f"{module}.{name}") from None


# What the C unpickler and NumPy raise on bytes that are no proper pickle.
_BROKEN: Final = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


def _read_pickle(content: bytes, path: Path) -> dict[str, Any]:
    try:
        # latin1 reads the arrays that Python 2 pickled; it changes nothing for newer files.
        state = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    except _ForbiddenError as error:
        raise ModelFileError(
            f"checkpoint {str(path)!r} asks for {error} to be loaded, and weights need nothing but arrays; "
            "it was not run; do not trust where it came from"
        ) from error
    except _BROKEN as error:
        raise ModelFileError(
            f"checkpoint {str(path)!r} is broken or no .pdparams file ({type(error).__name__}: {error}); "
            "download it again"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ModelFileError(
            f"checkpoint {str(path)!r} holds a {type(state).__name__}, not a dict of arrays by name; "
            "save it with paddle.save(layer.state_dict(), ...)"
        )
    return _joined({name: _array_of(value) for name, value in state.items() if name != NAME_TABLE}, path)


def _array_of(value: Any) -> Any:
    """Take the array out of paddle's (name, array) pairs."""
    is_pair = isinstance(value, tuple) and len(value) == len(("name", "array")) and isinstance(value[0], str)
    return value[1] if is_pair else value


def _joined(state: dict[str, Any], path: Path) -> dict[str, Any]:
    """Put the arrays that paddle.save cut in slices together again."""
    table = state.pop(SLICE_TABLE, {})
    try:
        for name, entry in table.items():
            slices = [np.asarray(state.pop(part)).reshape(-1) for part in entry["slices"]]
            state[name] = np.concatenate(slices).reshape(entry["OriginShape"])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"checkpoint {str(path)!r} lists big parameters whose slices do not fit ({error}); save it again"
        ) from error
    return state


def _read_npz(content: bytes, path: Path) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, AttributeError, KeyError, zipfile.BadZipFile) as error:
        raise ModelFileError(
            f"checkpoint {str(path)!r} is broken or no .npz of plain arrays ({error}); save it again"
        ) from error


READERS: Final[Mapping[str, Callable[[bytes, Path], dict[str, Any]]]] = MappingProxyType(
    {".pdparams": _read_pickle, ".npz": _read_npz}
)
