"""`.pth`, `.pt`: the files that `torch.save` writes, in every version of PyTorch since 0.2.

Since 1.6 the file is a zip file of a pickle and raw storages. Before, it was four pickles
(a mark, the version, facts about the machine, the content), a fifth pickle with the
storages' keys, and then the storages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint.contents import Archive, mapped
from pose_onnx.exporters.checkpoint.machine import Machine
from pose_onnx.exporters.checkpoint.numbers import SIZES, BrokenError, Bytes, UnfitError, checked_sizes
from pose_onnx.exporters.checkpoint.values import Storage, Table, Type, shown

MARK: Final = 0x1950A86A20F9469CFC6C
"""First value of a file before 1.6."""
VERSION: Final = 1001
"""Second value of a file before 1.6: all since 0.2."""
_COUNT: Final = 8
"""Bytes of the number that stands before a storage in a file before 1.6."""
_FIELDS: Final = (5, 6)
"""Numbers of fields that a storage's persistent id may have; versions from 0.4 until 1.6 have the sixth."""
_ZIP: Final = b"PK"
_PICKLE: Final = "/data.pkl"
STATE: Final = "state_dict"
"""Entry of a training checkpoint that holds the parameters, beside the epoch and the optimizer."""
PARALLEL: Final = "module."
"""Prefix of the names of a network that was trained on several devices."""

_ORDERS: Final = MappingProxyType({b"little": "<", b"big": ">"})


class _Storages:
    """Turns the persistent ids of a pickle into storages, and keeps the description of each storage.

    Attributes:
        known: by key, each storage from its first number.
    """

    def __init__(self, read_bytes: Callable[[str], tuple[Bytes, str]]) -> None:
        self._read_bytes = read_bytes
        self.known: dict[str, Storage] = {}

    def __call__(self, persistent_id: object) -> Storage:
        """Return the storage of ("storage", type, key, device, count), which may also name a part of it.

        Raises:
            BrokenError: the id does not have this form.
        """
        fields = persistent_id if isinstance(persistent_id, tuple) else ()
        kind, key, count = fields[1:3] + fields[4:5] if len(fields) in _FIELDS else (None, None, None)
        if not isinstance(kind, Type) or kind.name not in SIZES or not isinstance(key, str):
            raise BrokenError("a tensor whose storage is not a storage")
        (size,) = checked_sizes((count,))
        # (key, start, count) if the storage is a part of another
        part = fields[5] if len(fields) == max(_FIELDS) else None
        start = part[1] if isinstance(part, tuple) and len(part) == len(("key", "start", "count")) else 0
        whole = Storage(key, kind.name, size, 0, self._read_bytes)
        if (old := self.known.setdefault(key, whole)).code != whole.code or old.count != whole.count:
            raise BrokenError("a storage with two types")
        return replace(whole, start=checked_sizes((start,))[0])


def read(path: Path, budget: Budget) -> dict[str, object]:
    """Return descriptions of arrays by name, and all other values in the file.

    Raises:
        BrokenError: it is not such a file; the subclasses `ForbiddenError` and `UnfitError` say why.
        ModelFileError: it asks for too much memory.
    """
    content = _read_zip(path, budget) if _is_zip(path) else _read_stream(path, budget)
    named = content.named() if isinstance(content, Table) else {}
    state = named.get(STATE, content)
    if not isinstance(state, Table):
        raise UnfitError(
            f"holds a {type(state).__name__}, not a dict of tensors by name;"
            " save it with torch.save(network.state_dict(), ...)"
        )
    found = {}
    for name, value in state.named().items():
        own = name.removeprefix(PARALLEL)
        if own in found:
            raise UnfitError(f"holds {shown(own)!r} twice, with and without {PARALLEL!r}; save it again")
        found[own] = value
    return found


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _read_zip(path: Path, budget: Budget) -> object:
    archive = Archive(path, budget)
    pickles = [name for name in archive.names if name.endswith(_PICKLE)]
    if len(pickles) != 1:
        raise BrokenError("an archive without exactly one file data.pkl")
    folder = pickles[0].removesuffix(_PICKLE)
    order_file = f"{folder}/byteorder"
    order = _ORDERS.get(bytes(archive.read(order_file)) if order_file in archive.names else b"little")
    if order is None:
        raise BrokenError("an archive of an unknown byte order")
    last: dict[str, Bytes] = {}  # only the last storage read: tensors that share one follow each other

    def read_bytes(key: str) -> tuple[Bytes, str]:
        if key not in last:
            last.clear()
            last[key] = archive.read(f"{folder}/data/{key}")
        return last[key], order

    content = bytes(archive.read(pickles[0]))
    return Machine(content, budget, persistent=_Storages(read_bytes)).run()


def _read_stream(path: Path, budget: Budget) -> object:
    content = mapped(path)
    found: dict[str, Bytes] = {}

    def read_bytes(key: str) -> tuple[Bytes, str]:
        if key not in found:
            raise BrokenError("a tensor without its storage")
        return found[key], "<"

    storages, place, values = _Storages(read_bytes), 0, list[object]()
    for persistent in (None, None, None, storages, None):
        machine = Machine(content, budget, place=place, persistent=persistent)
        values.append(machine.run())
        place = machine.place
        if values[0] != MARK:
            raise BrokenError("it does not begin like PyTorch's files")
    _, version, facts, state, keys = values
    if version != VERSION or not isinstance(facts, Table) or facts.named().get("little_endian") is not True:
        raise BrokenError("an unknown version or machine")
    for key in keys if isinstance(keys, list) else [None]:
        storage = storages.known.get(key) if isinstance(key, str) else None
        if storage is None or machine.number(_COUNT) != storage.count:
            raise BrokenError("a storage that no tensor uses, or of the wrong size")
        found[storage.key] = machine.take(storage.count * SIZES[storage.code])
    return state
