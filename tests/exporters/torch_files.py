"""What `torch.save` writes, made without PyTorch: zip files, and the stream from before 1.6."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARK, VERSION = 0x1950A86A20F9469CFC6C, 1001
KINDS = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
}


@dataclass(eq=False)
class View:
    """A tensor: some numbers of a storage."""

    storage: NDArray[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    hooks: Any = None


def tensor(array: NDArray[Any]) -> View:
    return View(array.reshape(-1), array.shape, tuple(s // array.itemsize for s in array.strides))


class _Global:
    """Pickles as the name of something in PyTorch."""

    def __init__(self, module: str, name: str) -> None:
        self.text = f"{module}\n{name}\n"


class _Writer(pickle._Pickler):  # in Python, so that GLOBAL can be written
    write: Callable[[bytes], object]

    def __init__(self, file: BytesIO, *, is_zip: bool) -> None:
        super().__init__(file, 2)
        self.is_zip = is_zip
        self.storages: dict[int, tuple[str, NDArray[Any]]] = {}

    def persistent_id(self, value: object) -> Any:
        if not isinstance(value, np.ndarray):
            return None
        key = self.storages.setdefault(id(value), (str(len(self.storages)), value))[0]
        kind = _Global("torch", KINDS[value.dtype.name])
        return ("storage", kind, key, "cpu", value.size, *(() if self.is_zip else (None,)))

    def save(self, value: Any, save_persistent_id: bool = True) -> None:  # noqa: FBT002 (pickle's own signature)
        if isinstance(value, _Global):
            self.write(b"c" + value.text.encode())
        elif isinstance(value, View):
            arguments: tuple[object, ...] = (
                value.storage,
                value.offset,
                value.shape,
                value.strides,
                False,
                OrderedDict(),
            )
            self.save(_Global("torch._utils", "_rebuild_tensor_v2"))
            self.save(arguments)
            self.write(b"R")
        else:
            super().save(value, save_persistent_id)  # type: ignore[misc]  # of the stub: it is there


def _pickled(content: object, *, is_zip: bool) -> tuple[bytes, dict[str, NDArray[Any]]]:
    file = BytesIO()
    writer = _Writer(file, is_zip=is_zip)
    writer.dump(content)
    return file.getvalue(), dict(writer.storages.values())


def write_zip(path: Path, content: object, byteorder: str = "little") -> Path:
    data, storages = _pickled(content, is_zip=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", byteorder)
        archive.writestr("archive/version", "3\n")
        for key, storage in storages.items():
            written = storage if byteorder == "little" else storage.byteswap()
            archive.writestr(f"archive/data/{key}", written.tobytes())
    return path


def write_stream(path: Path, content: object, *, little_endian: bool = True) -> Path:
    data, storages = _pickled(content, is_zip=False)
    facts = {"protocol_version": VERSION, "little_endian": little_endian, "type_sizes": {"int": 4}}
    parts = [pickle.dumps(part, 2) for part in (MARK, VERSION, facts)]
    parts += [data, pickle.dumps(list(storages), 2)]
    parts += [storage.size.to_bytes(8, "little") + storage.tobytes() for storage in storages.values()]
    path.write_bytes(b"".join(parts))
    return path
