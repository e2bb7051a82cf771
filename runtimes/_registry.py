"""Finds the adapter of a backend by name: a table for our own, entry points for third-party ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any, Final, cast

from pose_onnx.errors import (
    DependencyError,
    InputError,
    ModelFileError,
    PoseOnnxError,
    UnknownNameError,
    unknown_name,
)
from pose_onnx.runtimes._admission import admit
from pose_onnx.runtimes._checks import check_model_file, check_model_folder, check_threads
from pose_onnx.runtimes._protocol import Runtime

ENTRY_POINT_GROUP: Final = "pose_onnx.runtimes"
FOLDER: Final = ""
"""Used instead of a suffix if a model is a folder of files."""
_DEFAULT_SUFFIX: Final = ".onnx"


@dataclass(frozen=True, slots=True)
class Backend:
    """How to reach one adapter without importing its engine.

    Attributes:
        adapter: `"module:attribute"` of a callable `(path, *, threads, **options) -> Runtime`.
        engines: Import names, the preferred one first; at least one must be installed.
        install: Argument for `pip install` if none is installed.
        suffix: File suffix of the models it runs; `FOLDER` if a model is a folder.
        devices: Short names of the devices it can run on, and the adapter options that they stand for.
    """

    adapter: str
    engines: tuple[str, ...]
    install: str
    suffix: str
    devices: Mapping[str, Mapping[str, Any]]


_CPU_ALONE: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({"cpu": {}})
_PROVIDERS: Final = MappingProxyType(
    {
        "cpu": "CPUExecutionProvider",
        "cuda": "CUDAExecutionProvider",
        "tensorrt": "TensorrtExecutionProvider",
        "rocm": "ROCMExecutionProvider",
        "migraphx": "MIGraphXExecutionProvider",
        "directml": "DmlExecutionProvider",
        "coreml": "CoreMLExecutionProvider",
        "openvino": "OpenVINOExecutionProvider",
        "qnn": "QNNExecutionProvider",
        "webgpu": "WebGpuExecutionProvider",
    }
)
"""Execution providers of ONNX Runtime, by their common names."""

BACKENDS: Final = MappingProxyType(
    {
        "ort": Backend(
            "pose_onnx.runtimes.ort:OrtRuntime",
            ("onnxruntime",),
            "onnxruntime",
            ".onnx",
            {name: {"providers": [provider]} for name, provider in _PROVIDERS.items()},
        ),
        "tflite": Backend(
            "pose_onnx.runtimes.tflite:TfliteRuntime",
            ("ai_edge_litert", "tflite_runtime"),
            "'pose-onnx[tflite]'",
            ".tflite",
            _CPU_ALONE,
        ),
        "openvino": Backend(
            "pose_onnx.runtimes.openvino:OpenVinoRuntime",
            ("openvino",),
            "'pose-onnx[openvino]'",
            ".onnx",
            {name: {"device": name.upper()} for name in ("cpu", "gpu", "npu")},
        ),
        "paddle": Backend(
            "pose_onnx.runtimes.paddle:PaddleRuntime",
            ("paddle",),
            "'pose-onnx[paddle]'",
            FOLDER,
            _CPU_ALONE,
        ),
    }
)
"""Our backends, by name. If several run the same files, `backend_for` returns the first."""


def backend_names() -> tuple[str, ...]:
    """Return every known backend name, installed or not, including third-party ones."""
    return (*BACKENDS, *sorted(entry_points(group=ENTRY_POINT_GROUP).names - BACKENDS.keys()))


def installed_backends() -> tuple[str, ...]:
    """Return the backends whose engine is installed."""
    third_party = tuple(name for name in backend_names() if name not in BACKENDS)
    ours = tuple(name for name, backend in BACKENDS.items() if any(map(find_spec, backend.engines)))
    return ours + third_party


def model_suffix(backend: str) -> str:
    """Return the file suffix of the models that a backend runs; third-party backends run ONNX.

    Raises:
        UnknownNameError: No backend has this name.
    """
    if backend in BACKENDS:
        return BACKENDS[backend].suffix
    if backend in backend_names():
        return _DEFAULT_SUFFIX
    raise _unknown(backend)


def backend_for(path: str | os.PathLike[str]) -> str:
    """Return the name of our first backend that runs a file with this suffix, or a folder.

    Raises:
        ModelFileError: No backend runs it.
    """
    model = Path(path)
    suffix = FOLDER if model.is_dir() else model.suffix.lower() or None
    for name, backend in BACKENDS.items():
        if backend.suffix == suffix:
            return name
    suffixes = dict.fromkeys(backend.suffix for backend in BACKENDS.values() if backend.suffix != FOLDER)
    raise ModelFileError(
        f"{str(path)!r} is not a model file; give one whose name ends in {' or '.join(suffixes)}, or a "
        "Paddle inference folder"
    )


def open_runtime(
    path: str | os.PathLike[str], backend: str = "ort", *, threads: int | None = None, **options: Any
) -> Runtime:
    """Load a model file with the named backend.

    Args:
        path: An exported model file; a Paddle inference folder for `"paddle"`.
        backend: One of `BACKENDS`, or a name that another package registered in the entry-point group
            `pose_onnx.runtimes`.
        threads: Threads inside one model run; every core of this process when `None`.
        options: Passed to the adapter, for example `providers=[...]` of `"ort"`. Or `device`, a short name
            such as "cpu" or "cuda" that stands for some of these options.

    Returns:
        The loaded model.

    Raises:
        UnknownNameError: No backend has this name.
        DependencyError: The backend's engine is not installed, or cannot load.
        InputError: `threads` or an option cannot be used.
        ModelFileError: The file is missing, empty, broken or in another format.
    """
    adapter = load_adapter(backend)
    threads = check_threads(threads)
    file = Path(path)
    _check_model(file, backend)
    options = _without_short_name(backend, options)
    try:
        signature(adapter).bind(file, threads=threads, **options)
    except TypeError as error:
        raise InputError(
            f"backend {backend!r} does not support the options {sorted(options)} ({error}); leave them out"
        ) from error
    return adapter(file, threads=threads, **options)


def option_names(backend: str) -> tuple[str, ...] | None:
    """Return the options that `open_runtime` takes for a backend; `None` if it takes any.

    Raises:
        UnknownNameError, DependencyError: As `load_adapter`.
    """
    _, *parameters = signature(load_adapter(backend)).parameters.values()  # the first is the path
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    names = (parameter.name for parameter in parameters if parameter.name != "threads")
    return tuple(dict.fromkeys([*names, *(["device"] if backend in BACKENDS else [])]))


def _without_short_name(backend: str, options: dict[str, Any]) -> dict[str, Any]:
    """Replace `device` by the options that it stands for, unless it is an engine's own device name."""
    if backend not in BACKENDS or "device" not in options:
        return options
    device, others = str(options["device"]), {name: options[name] for name in options if name != "device"}
    meant = BACKENDS[backend].devices.get(device)
    if meant is None:
        if "device" in signature(load_adapter(backend)).parameters:
            return options
        raise unknown_name(f"device of backend {backend!r}", device, BACKENDS[backend].devices)
    if twice := sorted(others.keys() & meant.keys()):
        raise InputError(f"device={device!r} and {', '.join(twice)} were given; give one of them")
    return {**others, **meant}


def _check_model(path: Path, backend: str) -> None:
    """Refuse files that our engines must not open; third-party adapters check their own files."""
    suffix = model_suffix(backend)
    if suffix == FOLDER:
        check_model_folder(path)
    elif backend in BACKENDS:
        admit(path, suffix)
    else:
        check_model_file(path)


def load_adapter(name: str) -> Callable[..., Runtime]:
    """Import the adapter of a backend, and its engine.

    Raises:
        UnknownNameError: No backend has this name.
        DependencyError: The backend's engine is not installed, or cannot load.
    """
    try:
        if name in BACKENDS:
            return _load_ours(name, BACKENDS[name])
        for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
            return cast("Callable[..., Runtime]", entry.load())
    except PoseOnnxError:
        raise
    except (ImportError, AttributeError) as error:
        raise DependencyError(
            f"backend {name!r} is installed but cannot be loaded ({error}); install its package again"
        ) from error
    raise _unknown(name)


def _load_ours(name: str, backend: Backend) -> Callable[..., Runtime]:
    if not any(map(find_spec, backend.engines)):
        raise DependencyError(
            f"backend {name!r} needs {backend.engines[0]!r}, which is not installed; "
            f"run: pip install {backend.install}"
        )
    return cast("Callable[..., Runtime]", resolve_name(backend.adapter))


def _unknown(name: str) -> UnknownNameError:
    return unknown_name("backend", name, backend_names())
