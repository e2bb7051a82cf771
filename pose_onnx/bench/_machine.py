"""The machine and software that a measurement was made on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any, Final

from pose_onnx import __version__
from pose_onnx.runtimes import BACKENDS, default_threads

_CPU_INFO: Final = Path("/proc/cpuinfo")
_STATUS: Final = Path("/proc/self/status")
_KB_IN_MB: Final = 1024
_BYTES_IN_MB: Final = 1024**2


def machine() -> dict[str, Any]:
    """Return the processor's name, the cores of the machine and of this process, the system, and the load."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": default_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def versions(backends: Iterable[str]) -> dict[str, str]:
    """Return versions of Python, this package, its dependencies and the engines of some backends."""
    engines = [engine for name in backends if name in BACKENDS for engine in BACKENDS[name].engines]
    owners = packages_distributions()
    distributions = dict.fromkeys(
        name for module in ("numpy", "cv2", *engines) for name in owners.get(module, ())
    )
    found = {name: version(name) for name in distributions}
    return {"python": platform.python_version(), "pose-onnx": __version__, **found}


def peak_memory_mb() -> float | None:
    """Return this process's peak memory (resident set); `None` if the system does not report it."""
    if _STATUS.is_file():
        # Not getrusage: on Linux its peak starts at the peak of the parent process.
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / _KB_IN_MB
    if sys.platform == "darwin":
        import resource  # noqa: PLC0415 (not on Windows)

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _BYTES_IN_MB
    return None


def _cpu_name() -> str:
    if _CPU_INFO.is_file():
        fields = (line.partition(":") for line in _CPU_INFO.read_text().splitlines())
        for name, _, value in fields:
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
