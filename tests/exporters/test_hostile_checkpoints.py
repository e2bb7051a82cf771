"""Files that were made to hurt: each is one error, at once, in little memory."""

from __future__ import annotations

import os
import pickle
import pickletools
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import ModelFileError
from pose_onnx.budget import MEMORY, Budget
from pose_onnx.exporters.checkpoint import read_checkpoint
from pose_onnx.exporters.checkpoint.machine import MAX_STEPS, Machine
from pose_onnx.exporters.checkpoint.numbers import BrokenError
from pose_onnx.exporters.checkpoint.reading import arrays_of

LITTLE = 1 << 20
WEIGHT = np.arange(6, dtype=np.float32)


MINUS_ONE = b"J\xff\xff\xff\xff"


def array(dtype: bytes, data: bytes, shape: bytes = b"K\x01\x85") -> bytes:
    """Return the opcodes of an array, whose dtype is given as opcodes."""
    rebuild = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    return rebuild + b"(K\x01" + shape + dtype + b"\x89" + b"C" + bytes([len(data)]) + data + b"tb"


def dtype(code: bytes, state: bytes) -> bytes:
    return b"cnumpy\ndtype\nU" + bytes([len(code)]) + code + b"\x89\x88\x87R" + state + b"b"


def state(
    order: bytes = b"|", names: bytes = b"N", fields: bytes = b"N", size: bytes = b"J\xff\xff\xff\xff"
) -> bytes:
    return b"(K\x03U\x01" + order + b"N" + names + fields + size + b"J\xff\xff\xff\xffK\x00t"


def table(value: bytes, key: bytes = b"U\x01w") -> bytes:
    return b"\x80\x02}" + key + value + b"s."


ADDRESS = (0x4141414141414141).to_bytes(8, "little")
FIELD = b"}U\x01a" + dtype(b"f4", state(b"<")) + b"J\x00\x00\x10\x00\x86s"
FIELDS = state(names=b"U\x01a\x85", fields=FIELD, size=b"K\x08")
BILLION = b"J\0\0\0\x40\x85"  # a shape of one size
DOUBLED = b")" + b"q\x00h\x00\x86" * 60  # a tuple of a tuple twice, of a tuple twice, ...

ATTACKS = {
    "objects without the flag of objects": (table(array(dtype(b"O8", state()), ADDRESS)), "type 'O8'"),
    "an object at an address of its choice": (
        table(b"cnumpy._core.multiarray\nscalar\n" + dtype(b"O8", state()) + b"C\x08" + ADDRESS + b"\x86R"),
        "type 'O8'",
    ),
    "a field far outside": (table(array(dtype(b"V8", FIELDS), ADDRESS)), "type 'V8'"),
    "a number with a field far outside": (table(array(dtype(b"f8", FIELDS), ADDRESS)), "not a plain number"),
    "a number of another size": (
        table(array(dtype(b"f8", state(size=b"K\x01")), ADDRESS[:1])),
        "with 1 bytes",
    ),
    "a dtype with a shape": (table(array(dtype(b"(9,9)f8", state()), ADDRESS)), "which is not a number"),
    "more numbers than bytes": (
        table(array(dtype(b"f4", state(b"<")), ADDRESS, b"J\0\0\0\x40\x85")),
        "bytes",
    ),
    "fewer numbers than bytes": (table(array(dtype(b"f4", state(b"<")), ADDRESS)), "with 8 bytes"),
    "a negative size": (table(array(dtype(b"f4", state(b"<")), ADDRESS, b"J\xff\xff\xff\xff\x85")), "shape"),
    "a state for a class": (b"\x80\x02cnumpy\nndarray\n}b.", "a state for an object without one"),
    "a state for a function": (b"\x80\x02c_codecs\nencode\n}b.", "a state for an object without one"),
    "a call of a class": (
        b"\x80\x02cnumpy\nndarray\nJ\0\0\0\x40\x85R.",
        "a call of something other than a function",
    ),
    "an array of zeros": (
        table(b"c__builtin__\nbytearray\nJ\0\0\0\x40\x85R"),
        "bytearray, but weights only need arrays",
    ),
    "a memo of 4 GB": (b"\x80\x02}r\xff\xff\xff\x1f.", "cannot be stored"),
    "a frame of 4 GB": (b"\x80\x04\x95\0\0\0\0\1\0\0\0\x8e\0\0\0\0\1\0\0\0.", "ends too early"),
    "bytes of 2 GB": (b"\x80\x03B\xff\xff\xff\x7f.", "ends too early"),
    "bytes of 2^63": (b"\x80\x04\x8e" + b"\xff" * 8 + b".", "ends too early"),
    "text of 2^63": (b"\x80\x04\x8d" + b"\xff" * 8 + b".", "ends too early"),
    "a number of 4 GB": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "the opcode 0x8b"),
    "a key that takes forever to hash": (table(b"N", DOUBLED), "keys are not names"),
    "a set": (b"\x80\x04\x8f.", "the opcode 0x8f"),
    "a line without an end": (b"\x80\x02c" + b"a" * LITTLE, "a name without an end"),
    "invalid text": (b"\x80\x02X\x02\0\0\0\xff\xff.", "invalid text"),
    "invalid text as bytes": (
        table(b"c_codecs\nencode\nX\x00\x08\0\0" + b"\xff" * 2048 + b"U\x06latin1\x86R"),
        "invalid text",
    ),
    "tuples in tuples": (b"\x80\x02)" + b"\x85" * 300_000 + b".", "holds a tuple"),
    "lists in lists": (b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".", "holds a list"),
    "a list in itself": (b"\x80\x02}U\x01w]q\x00h\x00as.", "other than numeric arrays: w"),
    "a table in itself": (b"\x80\x02}q\x00U\x01wh\x00s.", "other than numeric arrays: w"),
    "opcodes without an end": (b"\x80\x02" + b"N" * (MAX_STEPS + 1), "more than 1,000,000 opcodes"),
    "control characters": (b"\x80\x02cos\n\x1b[2Jsystem\n.", r"asks to load os\.\?\[2Jsystem, but"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_one_error(tmp_path: Path, name: str) -> None:
    content, says = ATTACKS[name]
    path = tmp_path / "a.pdparams"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=says) as error:
        list(arrays_of(path))
    assert str(error.value).startswith(f"checkpoint {str(path)!r}")


@pytest.mark.parametrize("name", [name for name in ATTACKS if "GB" in name or "2^63" in name])
def test_a_declared_size_allocates_nothing(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BrokenError):
            Machine(ATTACKS[name][0], Budget("file")).run()
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


def test_the_attacks_are_pickles() -> None:
    names = [name for name in ATTACKS if "field" in name or "flag" in name or "key" in name]
    for name in names:
        assert [opcode.name for opcode, _, _ in pickletools.genops(ATTACKS[name][0])][-1] == "STOP"


def test_the_same_bytes_cannot_be_made_again_and_again() -> None:
    size = 1 << 16
    text = b"X" + size.to_bytes(4, "little") + b"a" * size + b"q\x00"
    first = text + b"c_codecs\nencode\nq\x01h\x00U\x06latin1q\x02\x86R"
    again = b"h\x01h\x00h\x02\x86R"
    for times, fits in ((15, True), (16, False)):
        content = b"\x80\x02](" + first + again * times + b"e."
        with nullcontext() if fits else pytest.raises(ModelFileError, match=r"more than 1,048,576 bytes"):
            Machine(content, Budget("file", LITTLE)).run()


def test_one_array_of_many_names_is_counted_each_time(tmp_path: Path) -> None:
    big = np.zeros(1 << 20, np.int8)
    path = tmp_path / "a.pdparams"
    path.write_bytes(pickle.dumps({f"w{i}": big for i in range(400)}, 4))
    with pytest.raises(ModelFileError, match=f"more than {MEMORY:,} bytes"):
        for _ in arrays_of(path):
            pass


def npz(path: Path, change: Callable[[zipfile.ZipInfo], None], content: bytes | None = None) -> Path:
    """Write an archive of one array, and change what its list of members says."""
    buffer = BytesIO()
    np.save(buffer, WEIGHT)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", buffer.getvalue() if content is None else content)
        change(archive.filelist[0])
    return path


def header(descr: str, shape: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("changes", "content", "says"),
    [
        ({"file_size": 12 << 30}, None, "asks for more than"),
        ({"file_size": 1 << 20}, None, "shorter than declared|broken zip file"),
        ({"file_size": 140}, None, "bytes|broken zip file"),
        ({"CRC": 1}, None, "broken zip file"),
        ({"compress_type": 12}, None, "without a required member"),
        ({"header_offset": 1 << 40}, None, "broken zip file"),
        ({"flag_bits": 1}, None, "broken zip file"),
        ({}, header("'<f4'", "(3000000000,)"), "not a tuple of sizes"),
        ({}, header("'<f4'", "(300000000,)"), "with 0 bytes"),
        ({}, header("'<f4'", "(2,)", bytes(4)), "with 4 bytes"),
        ({}, header("'|O'", "(1,)", bytes(8)), "not an .npz file of plain arrays"),
        ({}, header("[('a', '<f4')]", "(1,)", bytes(4)), "not an .npz file of plain arrays"),
        ({}, header("('<f4', (1000000, 1000000))", "(1,)", bytes(4)), "not an .npz file of plain arrays"),
        ({}, header("(" * 5000, "(1,)"), "not an .npz file of plain arrays"),
        ({}, header("'<f4'", f"({'9' * 900},)"), "not a tuple of sizes"),
        ({}, header("'<f4'", f"({'1, ' * 40})"), "not a tuple of sizes"),
        ({}, b"", "not an .npz file of plain arrays"),
        ({}, b"\x93NUMPY", "not an .npz file of plain arrays"),
    ],
)
def test_a_hostile_npz_is_one_error(tmp_path: Path, changes: Any, content: bytes | None, says: str) -> None:
    def change(member: zipfile.ZipInfo) -> None:
        for field, value in changes.items():
            setattr(member, field, value)

    with pytest.raises(ModelFileError, match=says):
        list(arrays_of(npz(tmp_path / "a.npz", change, content)))


def test_a_zip_of_too_many_members_is_one_error(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", lambda _: None)
    whole = path.read_bytes()
    start = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    listed = whole[start:end] * 400_000
    tail = bytearray(whole[end:])
    tail[12:16] = len(listed).to_bytes(4, "little")
    path.write_bytes(whole[:start] + listed + tail)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match="too many members"):
            list(arrays_of(path))
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


def test_a_bomb_is_one_error_in_the_child_too(tmp_path: Path) -> None:
    def change(member: zipfile.ZipInfo) -> None:
        member.file_size = 12 << 30

    with pytest.raises(ModelFileError, match="asks for more than"):
        read_checkpoint(npz(tmp_path / "a.npz", change))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no FIFOs")
def test_a_fifo_is_one_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(ModelFileError, match="is not a file"):
        read_checkpoint(tmp_path / "a.npz")


def test_a_size_that_is_a_lie_allocates_nothing(tmp_path: Path) -> None:
    def change(member: zipfile.ZipInfo) -> None:
        member.file_size = 1 << 30

    path = npz(tmp_path / "a.npz", change)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"shorter than declared|broken zip file"):
            list(arrays_of(path))
        assert tracemalloc.get_traced_memory()[1] < 4 * LITTLE
    finally:
        tracemalloc.stop()
