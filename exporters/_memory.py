"""Memory management of the export process."""

from __future__ import annotations

import ctypes
import sys


def return_freed_memory() -> None:
    """Return unused memory to the operating system, if the C library supports it.

    glibc keeps freed memory for later use: several times the size of the weights after a network is lowered.
    The engine that runs next allocates memory of its own.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim:
            trim(0)
