"""Memory of the exporting process."""

from __future__ import annotations

import ctypes
import sys


def return_freed_memory() -> None:
    """Give memory that is no longer used back to the system, where its C library can.

    glibc keeps it for later: after a network was lowered, several times the size of its weights. What runs
    next, an engine, takes memory of its own.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim:
            trim(0)
