"""ONNX Runtime adapter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeAlias

import onnxruntime as ort

from pose_onnx.errors import EngineError, InputError, ModelFileError
from pose_onnx.runtimes._checks import check_feeds
from pose_onnx.runtimes._protocol import Tensor, TensorSpec
from pose_onnx.runtimes._traits import ACCELERATOR_RUN_PIXELS, CPU_RUN_PIXELS

_NUMPY_NAMES: Final = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int64)": "int64"}
_LOG_ERRORS_ONLY: Final = 3
# By default its threads keep their cores busy for a while after every operator. The detector's threads took
# cores from the keypoint model that runs next, and with other load on the machine, runs took twice as long.
_NO_SPINNING: Final = ("session.intra_op.allow_spinning", "0")
# The errors of onnxruntime have no public base class: they are these builtins, or classes of its modules.
_ORT_ERRORS: Final = (RuntimeError, ValueError)


Provider: TypeAlias = str | tuple[str, Mapping[str, Any]]
"""Name of an execution provider, or its name and options as ONNX Runtime documents them."""

_CPU: Final = "CPUExecutionProvider"
_NO_KERNEL: Final = re.compile(r"NOT_IMPLEMENTED : Could not find an implementation for (\w+)")
_SINCE: Final[Mapping[str, str]] = {"DeformConv": "1.25"}
"""First version that runs an operator on the CPU, for those that the oldest supported one does not."""

_SERIAL: Final = "DmlExecutionProvider"
"""DirectML: according to ONNX Runtime's documentation, two threads must not run a session at once."""


class OrtRuntime:
    """An ONNX file, run by ONNX Runtime.

    Args:
        path: The `.onnx` file.
        threads: Threads inside one operator.
        providers: Execution providers in order of preference, by name or as (name, options). A provider
            that this onnxruntime build lacks, or that does not work on this machine, is an error; there is no
            silent fallback to the CPU.

    Attributes:
        is_parallel: Whether runs may overlap; see `pose_onnx.runtimes._traits`, as for the next two.
        fills_device: Whether it runs on a device other than the CPU.
        run_pixels: Largest number of input pixels in one run.
    """

    is_parallel = True

    def __init__(self, path: Path, *, threads: int, providers: Sequence[Provider] = (_CPU,)) -> None:
        chosen = _checked_providers(providers)
        names = [name for name, _ in chosen]
        is_cpu = names[0] == _CPU
        self.is_parallel = _SERIAL not in names
        self.fills_device = not is_cpu
        self.run_pixels = threads * CPU_RUN_PIXELS if is_cpu else ACCELERATOR_RUN_PIXELS
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _LOG_ERRORS_ONLY
        options.add_session_config_entry(*_NO_SPINNING)
        # Memory that was just freed is still in a CPU's cache; planned memory is not (docs/speed-graph.md).
        options.enable_mem_reuse = not is_cpu
        try:
            session = ort.InferenceSession(_path_or_content(path), options, providers=chosen)
        except Exception as error:  # its exception classes are not importable; see _is_ort_error
            if not _is_ort_error(error):
                raise
            raise _load_error(path, _first_line(error)) from error
        active = session.get_providers()
        if missing := [name for name in names if name not in active]:
            raise EngineError(
                f"execution provider {missing} did not start on this machine, only {active}; install its "
                "driver or libraries, or leave it out of providers="
            )
        self._session: Any = session
        self._turn: AbstractContextManager[object] = nullcontext() if self.is_parallel else Lock()
        self._inputs = tuple(_spec(node) for node in session.get_inputs())
        self._outputs = tuple(_spec(node) for node in session.get_outputs())
        self._output_names = [spec.name for spec in self._outputs]

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs that `run` takes."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that `run` returns."""
        return self._outputs

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Run the model once; see `Runtime.run`."""
        session = self._session  # keep a reference: another thread may call `close`
        if session is None:
            raise EngineError("this runtime is closed; open the model again")
        check_feeds(feeds, self._inputs)
        try:
            with self._turn:
                arrays = session.run(self._output_names, dict(feeds))
        except Exception as error:
            if not _is_ort_error(error):
                raise
            raise EngineError(f"ONNX Runtime could not run the model: {_first_line(error)}") from error
        return dict(zip(self._output_names, arrays, strict=True))

    def close(self) -> None:
        """Release the session."""
        self._session = None


def _path_or_content(path: Path) -> str | bytes:
    """Return what a session is made from: it takes paths that are UTF-8 only."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.read_bytes()
    return str(path)


def _checked_providers(providers: Sequence[Provider]) -> list[tuple[str, dict[str, Any]]]:
    available = ort.get_available_providers()
    wanted = f"give a list out of {available}, each a name or a pair (name, options)"
    if isinstance(providers, str) or not providers:
        raise InputError(f"providers={providers!r} was given; {wanted}")
    chosen = []
    for provider in providers:
        name, options = (provider, {}) if isinstance(provider, str) else _pair(provider, wanted)
        if name not in available:
            raise InputError(
                f"execution provider {name!r} is not in this onnxruntime build, which has {available}; "
                "choose one of these or install the onnxruntime package that includes it"
            )
        chosen.append((name, dict(options)))
    return chosen


def _pair(provider: object, wanted: str) -> tuple[str, Mapping[str, Any]]:
    match provider:
        case (str() as name, Mapping() as options):
            return name, options
    raise InputError(f"the execution provider {provider!r} was given; {wanted}")


def _load_error(path: Path, message: str) -> EngineError | ModelFileError:
    if lacking := _NO_KERNEL.search(message):
        name = lacking[1]
        since = f"{_SINCE[name]} or newer" if name in _SINCE else "in a newer version"
        return EngineError(
            f"{str(path)!r} has the operator {name}, for which ONNX Runtime {ort.__version__} has no"
            f" kernel; install onnxruntime {since}, or use the model's TFLite file"
        )
    return ModelFileError(
        f"{str(path)!r} cannot be loaded by ONNX Runtime ({message}); "
        "give an intact .onnx file, or export it again"
    )


def _is_ort_error(error: Exception) -> bool:
    return isinstance(error, _ORT_ERRORS) or type(error).__module__.startswith("onnxruntime")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return TensorSpec(node.name, shape, _NUMPY_NAMES.get(node.type, node.type))
