"""Arrays that are reused from call to call."""

from __future__ import annotations

import math
import threading

import numpy as np

from pose_onnx.core.arrays import F32


class Buffers(threading.local):
    """One array per thread, reused in each of its calls: a new array of this size would cost page faults."""

    def __init__(self) -> None:
        self._buffer = np.empty((0,), np.float32)

    def get(self, *shape: int) -> F32:
        """Return an array of this shape with any content; this thread's next call may return the same one."""
        size = math.prod(shape)
        if self._buffer.size < size:
            self._buffer = np.empty(size, np.float32)
        return self._buffer[:size].reshape(shape)
