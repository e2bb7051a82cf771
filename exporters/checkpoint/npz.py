"""`.npz`: arrays by name, as `numpy.savez` and `numpy.savez_compressed` write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint.contents import Archive
from pose_onnx.exporters.checkpoint.numbers import SIZES, UnfitError
from pose_onnx.exporters.checkpoint.values import Array, Dtype, shown

MAX_HEADER: Final = 1024
"""Most bytes of the header before the numbers. NumPy writes 128 for a weight."""
_SUFFIX: Final = ".npy"
# The version; the length of the text, two bytes in version 1 and four in 2; the text, always in this form.
_HEADER: Final = re.compile(
    rb"\x93NUMPY(?:\x01\x00..|\x02\x00....)"
    rb"\{'descr': '([<>|])([a-z]\d)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """An array in an archive, not read yet."""

    archive: Archive
    name: str

    def floats(self, budget: Budget) -> NDArray[np.float32]:
        """Return its numbers; errors as in `numbers.floats`, and `UnfitError` if there are none."""
        content = self.archive.read(self.name)
        header = _HEADER.match(bytes(content[:MAX_HEADER]))
        code = header[2].decode("ascii") if header else ""
        if header is None or code not in SIZES:
            raise UnfitError(
                f"is not an .npz file of plain arrays, because {shown(self.name)!r} is not one; save it again"
            )
        shape = tuple(int(size) for size in re.findall(rb"\d+", header[4]))
        dtype = Dtype(code, header[1].decode("ascii"))
        return Array(dtype, shape, header[3] == b"True", content[header.end() :]).floats(budget)


def read(path: Path, budget: Budget) -> dict[str, object]:
    """Return descriptions of arrays by name.

    Raises:
        BrokenError: it is not a valid `.npz` file.
        ModelFileError: it asks for too much memory.
    """
    archive = Archive(path, budget)
    return {name.removesuffix(_SUFFIX): Member(archive, name) for name in archive.names}
