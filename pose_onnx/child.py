"""Read untrusted files in a process of their own, with limits on memory and time.

    index = call_limited("pose_onnx.exporters.checkpoint.reading:write_arrays", {"path": ...},
                         subject="checkpoint 'a.pdparams'")

The child imports the module, sets its limits, calls the function with the
arguments by keyword, and replies with JSON. What is larger goes into files whose
paths are arguments. Nothing is pickled. If the file makes the reader crash, run
out of memory or never end, only the child is lost.

Where the limits hold: time everywhere; memory, CPU time and the size of written
files on Linux; CPU time and the size of written files on macOS.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

from pose_onnx import errors
from pose_onnx.budget import MEMORY, SECONDS
from pose_onnx.errors import ModelFileError, PoseOnnxError

if sys.platform != "win32":
    import resource

OVERHEAD: Final = 512 << 20
"""Bytes of memory beyond a file's budget: for Python's own objects, and copies of one array."""
MAX_REPLY: Final = 64 << 20
"""Bytes of a reply. A checkpoint of 10,000 names has 1 MB."""
# -I: neither the working folder nor the environment adds modules; the path is the parent's.
_START: Final = (
    "import json, sys; job = json.load(open(sys.argv[1], encoding='utf-8')); sys.path[:] = job['path'];"
    "from pose_onnx.child import main; main(job)"
)


def call_limited(
    task: str,
    arguments: Mapping[str, Any],
    *,
    subject: str,
    memory: int = MEMORY,
    seconds: float = SECONDS,
) -> Any:
    """Call a function in a child process with limits.

    Args:
        task: "module:function".
        arguments: by keyword, of JSON's types.
        subject: what is read, as an error names it: "archive 'a.tar'".
        memory: bytes that the function may take beyond what Python and its modules have; `OVERHEAD` is added.
            Files that it maps count too.
        seconds: until the child is killed.

    Returns:
        What the function returned, of JSON's types.

    Raises:
        PoseOnnxError: what the function raised.
        ModelFileError: it crashed, ran out of memory or time, or raised something else.
    """
    with tempfile.TemporaryDirectory(prefix="pose-onnx-") as folder:
        job_file, reply = Path(folder, "job.json"), Path(folder, "reply.json")
        job = {
            "task": task,
            "arguments": dict(arguments),
            "memory": memory + OVERHEAD,
            "seconds": seconds,
            "reply": str(reply),
            "path": sys.path,
        }
        job_file.write_text(json.dumps(job), encoding="utf-8")
        try:
            status = subprocess.run(
                [sys.executable, "-I", "-c", _START, str(job_file)],
                # Threads of linear algebra would take memory that is not the file's.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise ModelFileError(
                f"{subject} could not be read within {seconds:g} s, and was not used; do not trust its source"
            ) from None
        return _result(reply, status, subject)


def _result(reply: Path, status: int, subject: str) -> Any:
    if status != 0 or not reply.is_file():
        raise ModelFileError(
            f"{subject} crashed the process that read it ({_cause(status)}); do not trust its source"
        )
    if reply.stat().st_size > MAX_REPLY:
        raise ModelFileError(
            f"{subject} contains more than a model needs, and was not read; do not trust its source"
        )
    found = json.loads(reply.read_text(encoding="utf-8"))
    if "returned" in found:
        return found["returned"]
    kind = getattr(errors, found["type"], None)
    if isinstance(kind, type) and issubclass(kind, PoseOnnxError):
        raise kind(found["message"])
    if found["type"] == MemoryError.__name__:
        raise ModelFileError(f"{subject} needs more memory than is allowed; do not trust its source")
    raise ModelFileError(f"{subject} is broken ({found['type']}: {found['message']}); get it again")


def _cause(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"exit status {status}"


def main(job: Mapping[str, Any]) -> None:
    """Run a task of `call_limited`, in the child."""
    function = resolve_name(job["task"])
    _limit(job["memory"], job["seconds"])
    answer: dict[str, Any]
    try:
        answer = {"returned": function(**job["arguments"])}
    except Exception as error:  # noqa: BLE001 (every error of a file is the parent's to report)
        answer = {"type": type(error).__name__, "message": str(error)}
    Path(job["reply"]).write_text(json.dumps(answer), encoding="utf-8")


def _limit(memory: int, seconds: float) -> None:
    """Set the limits of this process, as far as the system knows them."""
    if sys.platform == "win32":
        return
    wanted = {resource.RLIMIT_CPU: int(seconds) + 1, resource.RLIMIT_FSIZE: memory, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        wanted[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory
    for kind, size in wanted.items():
        hard = resource.getrlimit(kind)[1]
        limit = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(kind, (limit, limit))
