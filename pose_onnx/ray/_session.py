"""A connection to Ray: the caller's own, a cluster, or a local Ray that ends with the job."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pose_onnx.addresses import redacted, redacted_in
from pose_onnx.errors import EngineError
from pose_onnx.ray._engine import ray
from pose_onnx.runtimes import default_threads

_STORE_BYTES: Final = 100 * 2**20
"""Size of shared memory: only addresses and counts pass through Ray, and containers have little."""

_PATIENCE_S: Final = 5.0

# Read by Ray when it starts. What the caller has set stays.
_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # a dead worker needs no message: it is replaced and counted
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # --providers decides who sees a GPU, not Ray
}


@contextmanager
def ray_session(address: str | None, cpus: int | None) -> Iterator[None]:
    """Connect to Ray, and disconnect at the end.

    Args:
        address: Address of a cluster; RAY_ADDRESS may name one too. Without either, a local Ray is started.
        cpus: Number of CPUs that a local Ray may use; every core when `None`.

    Raises:
        EngineError: No Ray can be reached or started.
    """
    if ray.is_initialized():
        yield
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    cluster = address or os.environ.get("RAY_ADDRESS") or "local"
    _check_reachable(cluster)
    local = {
        "num_cpus": cpus or default_threads(),
        "object_store_memory": _STORE_BYTES,
        "include_dashboard": False,
    }
    try:
        with _silent():
            ray.init(
                cluster,
                **(local if cluster == "local" else {}),
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _unusable(cluster, error) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _silent() -> Iterator[None]:
    """Hide output of native code from the terminal: Ray reports there that its log level was changed."""
    try:
        screen = sys.__stderr__.fileno() if sys.__stderr__ else -1
        kept = os.dup(screen)
    except (OSError, ValueError):  # closed, or no file
        yield
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (a descriptor, not a path)
        os.dup2(nowhere.fileno(), screen)
    try:
        yield
    finally:
        os.dup2(kept, screen)
        os.close(kept)


def _check_reachable(cluster: str) -> None:
    """Check that a server listens: otherwise Ray would retry for minutes."""
    host, _, port = cluster.removeprefix("ray://").rpartition(":")
    if not port.isdigit():  # "local" and "auto"
        return
    try:
        socket.create_connection((host, int(port)), _PATIENCE_S).close()
    except (OSError, OverflowError) as error:  # OverflowError: a port above 65535
        raise _unusable(cluster, error) from error


def _unusable(cluster: str, error: Exception) -> EngineError:
    reason = redacted_in(str(error).strip().partition("\n")[0], cluster)
    return EngineError(
        f"Ray at {redacted(cluster)!r} cannot be used ({reason}); check the address and RAY_AUTH_MODE, or"
        " leave the address out to use this machine"
    )
