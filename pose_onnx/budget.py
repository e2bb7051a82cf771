"""The resources that one file from outside may use, counted while it is read.

Whatever reads a checkpoint, an archive or a picture asks its `Budget` before it allocates what the file
declares. All share one limit: nothing that this package reads needs more, and every machine that runs it
has that much.
"""

from __future__ import annotations

from typing import Final

from pose_onnx.errors import ModelFileError, PoseOnnxError

MEMORY: Final = 3 << 29
"""Bytes that one file may take in all: the largest checkpoint, 0.8 GB, as stored and as returned."""
SECONDS: Final = 300
"""Time that one file may take. A checkpoint of 0.8 GB took 18 s on a busy machine."""


class Budget:
    """Counts the bytes that one file asks for.

    Attributes:
        left: bytes that may still be taken.
    """

    def __init__(
        self, subject: str, limit: int = MEMORY, error: type[PoseOnnxError] = ModelFileError
    ) -> None:
        """Start a count.

        Args:
            subject: what is read, as the error names it: "checkpoint 'a.pdparams'".
            limit: bytes in all.
            error: what is raised.
        """
        self.left = limit
        self._subject, self._limit, self._error = subject, limit, error

    def take(self, size: int) -> None:
        """Ask for memory before it is allocated.

        Args:
            size: bytes, at least 0.

        Raises:
            PoseOnnxError: fewer bytes are left. Nothing may be allocated then.
        """
        if not 0 <= size <= self.left:
            # The size itself is not quoted: it may be a number of a million digits.
            raise self._error(
                f"{self._subject} asks for more than {self._limit:,} bytes of memory, more than any real "
                "model or picture, and was not read; do not trust its source"
            )
        self.left -= size
