"""Fuzzer of checkpoints, by their structure: `python -m tests.fuzz.checkpoints --count 10000 --seed 1`.

Real files of every kind are taken apart (a pickle into its opcodes, an archive into its members and headers),
changed where a reader may trust them (numbers, sizes, names, states, order), and put together again.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from pickletools import genops
from random import Random
from typing import Any, Final

import numpy as np

from pose_onnx.exporters.checkpoint.calls import GLOBALS
from pose_onnx.exporters.checkpoint.reading import arrays_of
from tests.exporters.torch_files import View, tensor, write_stream, write_zip
from tests.fuzz.child import run_cases

Parts = list[bytes]

READER: Final = "tests.fuzz.checkpoints:read"
SUFFIXES: Final = (".pdparams", ".pth", ".npz")
WEIGHT: Final = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
NUMBERS: Final = (
    0,
    1,
    2,
    3,
    8,
    127,
    128,
    255,
    1 << 16,
    1 << 29,
    1 << 30,
    1 << 31,
    1 << 40,
    1 << 63,
    -1,
    -2,
    -8,
)
FIELDS: Final = {
    **dict.fromkeys(b"CUKqh\x80\x8a\x8c", 1),
    ord("M"): 2,
    **dict.fromkeys(b"XBTJrj", 4),
    **dict.fromkeys(b"\x8d\x8e\x95\x96", 8),
}
"""Bytes of the number that follows an opcode."""
FOREIGN: Final = (
    ("os", "system"),
    ("builtins", "bytearray"),
    ("builtins", "getattr"),
    ("builtins", "__import__"),
    ("numpy", "zeros"),
    ("numpy", "void"),
    ("numpy", "memmap"),
    ("numpy.core.records", "fromrecords"),
    ("torch", "load"),
    ("copyreg", "_reconstructor"),
)
CODES: Final = (
    b"O8",
    b"V8",
    b"S8",
    b"U2",
    b"M8",
    b"c8",
    b"f16",
    b"f4,f4",
    b"(9,9)f4",
    b"i1",
    b"b1",
    b"f8",
    b"",
)
STATE: Final = (
    b"(K\x03U\x01|NU\x01a\x85}U\x01acnumpy\ndtype\nU\x02f4\x89\x88\x87RJ\0\0\x10\0\x86sK\x08K\x01K\x00t"
)
"""State of a dtype with a field far outside."""


def _array(values: Any) -> Any:
    return np.asfortranarray(values)


class _Bare:
    """A tensor as some versions of Paddle write it."""

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return eval, ("data", {"data": WEIGHT})


def _paddle_states() -> Iterator[object]:
    yield OrderedDict(a=WEIGHT, b=_array(WEIGHT), c=WEIGHT.astype(">f8"), d=np.float32(1), e=np.zeros(0))
    yield {"a": ("conv2d_0.w_0", WEIGHT), "StructuredToParameterName@@": {"a": "conv2d_0.w_0"}}
    table = {"w": {"OriginShape": (2, 3, 4), "slices": ["w@@.0", "w@@.1"]}}
    yield {"w@@.0": WEIGHT[0].reshape(-1), "w@@.1": WEIGHT[1].reshape(-1), "UnpackBigParamInfor@@": table}
    yield {"a": _Bare(), "long": np.zeros(2000, np.uint8)}


def _torch_state() -> object:
    row = np.arange(60, dtype=np.float32)
    state = OrderedDict(a=tensor(WEIGHT), b=View(row, (3, 2), (2, 1), 40), c=View(row, (4,), (0,)))
    state["module.d"] = View(np.array([7], np.int64), (), ())
    return {"epoch": 1, "state_dict": state, "optimizer": {"state": {0: {"step": 1.5}}}}


def _seeds() -> list[Parts]:
    """Return pickles, each as its opcodes."""
    pickles = [pickle.dumps(state, protocol) for state in _paddle_states() for protocol in (2, 4, 5)]
    return [_parts(data) for data in pickles]


def _parts(data: bytes) -> Parts:
    places = [place for _, _, place in genops(data) if place is not None]
    return [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]


def _torch_archive() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_zip(Path(folder, "a.pth"), _torch_state())
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def _torch_stream() -> tuple[list[Parts], bytes]:
    """Return the five pickles of an old file, and what follows them."""
    with tempfile.TemporaryDirectory() as folder:
        whole = write_stream(Path(folder, "a.pth"), _torch_state()).read_bytes()
    file, pickles = BytesIO(whole), []
    for _ in range(5):
        start = file.tell()
        list(genops(file))
        pickles.append(_parts(whole[start : file.tell()]))
    return pickles, whole[file.tell() :]


PICKLES: Final = _seeds()
ARCHIVE: Final = _torch_archive()
STREAM: Final = _torch_stream()
POOL: Final = [
    *{part for parts in PICKLES for part in parts},
    *_parts(ARCHIVE["archive/data.pkl"]),
    STATE + b"b",
    b")" + b"q\x00h\x00\x86" * 60,
    b"]q\x00h\x00a",
    b"\x85" * 5000,
    b"(" * 5000,
    b"\x8f",
    b"0",
    b"2",
    b"\x8b\xff\xff\xff\x7f",
    b"r\xff\xff\xff\x1f",
    b"I" + b"9" * 5000 + b"\n",
]


def _number(random: Random, parts: Parts) -> None:
    places = [i for i, part in enumerate(parts) if part and part[0] in FIELDS]
    if places:
        place = random.choice(places)
        width = FIELDS[parts[place][0]]
        old = int.from_bytes(parts[place][1 : 1 + width], "little")
        value = random.choice([*NUMBERS, old - 1, old + 1, old * 2]) % 256**width
        parts[place] = parts[place][:1] + value.to_bytes(width, "little") + parts[place][1 + width :]


def _name(random: Random, parts: Parts) -> None:
    places = [i for i, part in enumerate(parts) if part[:1] in {b"c", b"\x93"}]
    if places:
        module, name = random.choice([*GLOBALS, *FOREIGN])
        place = random.choice(places)
        two = f"\x8c{chr(len(module))}{module}\x8c{chr(len(name))}{name}".encode("latin1") + b"\x93"
        parts[place] = two if parts[place] == b"\x93" else f"c{module}\n{name}\n".encode()


def _code(random: Random, parts: Parts) -> None:
    """Give an array another type: a short text that is one, or any."""
    places = [i for i, part in enumerate(parts) if part[:1] in {b"X", b"\x8c", b"U"} and len(part) < 8]
    if places:
        code = random.choice(CODES)
        parts[random.choice(places)] = b"U" + bytes([len(code)]) + code


def _state(random: Random, parts: Parts) -> None:
    places = [i for i, part in enumerate(parts) if part == b"b"]
    if places:
        parts[random.choice(places)] = random.choice(
            [b"0" + STATE + b"b", b"bNb", b"b}b", b"2b", b"bb", STATE + b"b"]
        )


def _drop(random: Random, parts: Parts) -> None:
    start = random.randrange(len(parts) + 1)
    del parts[start : start + random.choice([1, 1, 1, 2, 10])]


def _repeat(random: Random, parts: Parts) -> None:
    start = random.randrange(len(parts) + 1)
    piece = parts[start : start + random.choice([1, 2, 5, 30])]
    parts[start:start] = piece * random.choice([1, 1, 2, 100, 3000])


def _insert(random: Random, parts: Parts) -> None:
    parts.insert(random.randrange(len(parts) + 1), random.choice(POOL))


def _replace(random: Random, parts: Parts) -> None:
    if parts:
        parts[random.randrange(len(parts))] = random.choice(POOL)


def _splice(random: Random, parts: Parts) -> None:
    other = random.choice(PICKLES)
    start, place = random.randrange(len(other)), random.randrange(len(parts) + 1)
    parts[place:place] = other[start : start + random.randrange(1, 40)]


def _swap(random: Random, parts: Parts) -> None:
    if len(parts) > 1:
        a, b = random.sample(range(len(parts)), 2)
        parts[a], parts[b] = parts[b], parts[a]


CHANGES: Final[tuple[Callable[[Random, Parts], None], ...]] = (
    *(_number, _number, _number, _name, _code, _state),
    *(_drop, _repeat, _insert, _replace, _splice, _swap),
)


def _changed(random: Random, parts: Parts) -> bytes:
    found = list(parts)
    for _ in range(random.choice([0, 1, 1, 1, 2, 3, 6])):
        random.choice(CHANGES)(random, found)
    return b"".join(found)


def _damaged(random: Random, content: bytes) -> bytes:
    """Change bytes, or cut, some of the time."""
    found = bytearray(content)
    for _ in range(random.choice([0, 0, 0, 0, 1, 2, 8])):
        found[random.randrange(len(found))] = random.randrange(256)
    return bytes(found[: random.randrange(len(found))] if random.random() < 0.05 else found)


def _pdparams(random: Random) -> bytes:
    return b"\x00" + _damaged(random, _changed(random, random.choice(PICKLES)))


def _stream(random: Random) -> bytes:
    pickles, tail = STREAM
    which = random.choice([0, 1, 2, 3, 3, 3, 3, 4])
    content = [_changed(random, p) if i == which else b"".join(p) for i, p in enumerate(pickles)]
    if random.random() < 0.2:
        place = random.randrange(len(tail) - 8)
        tail = tail[:place] + (random.choice(NUMBERS) % 2**64).to_bytes(8, "little") + tail[place + 8 :]
    return b"\x01" + _damaged(random, b"".join(content) + tail)


def _zip(random: Random, members: dict[str, bytes]) -> bytes:
    """Write an archive, and change what its headers say."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        listed = archive.filelist
        while listed and random.random() < 0.3:
            field = random.choice(
                ["file_size", "compress_size", "CRC", "header_offset", "flag_bits", "compress_type"]
            )
            member = random.choice(listed)
            limit = 1 << (16 if field in {"flag_bits", "compress_type"} else 48)
            limit = 1 << 32 if field == "CRC" else limit
            setattr(member, field, random.choice([*NUMBERS, member.file_size + 1, 12 << 30]) % limit)
    found = bytearray(file.getvalue())
    while random.random() < 0.3:
        signature = random.choice([b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"])
        start = found.find(signature, random.randrange(len(found))) + len(signature)
        width = random.choice([2, 4])
        place = start + 2 * random.randrange(20)
        found[place : place + width] = (random.choice(NUMBERS) % 256**width).to_bytes(width, "little")
    return bytes(found)


def _pth(random: Random) -> bytes:
    members = dict(ARCHIVE)
    members["archive/data.pkl"] = _changed(random, _parts(members["archive/data.pkl"]))
    while random.random() < 0.2:
        name = random.choice(list(members))
        content = members.pop(name)
        size = random.choice([0, 1, len(content) - 1, len(content)])
        members[random.choice([name, name, f"{name}x", "other/data.pkl"])] = content[
            : max(size, 0)
        ] + b"a" * (size % 3)
    return b"\x01" + _damaged(random, _zip(random, members))


def _npy(random: Random) -> bytes:
    dtypes = (
        "'<f4'",
        "'>f8'",
        "'|b1'",
        "'<i8'",
        "'|O'",
        "'|V8'",
        "'<f2'",
        "'<c8'",
        "[('a', '<f4')]",
        "'<U9'",
        "9",
    )
    shapes = (
        "(2, 3)",
        "()",
        "(6,)",
        "(0,)",
        "(-1,)",
        "(3000000000,)",
        "(1, 1, 1, 1, 1, 1, 1, 1, 1)",
        "6",
        "(2, 'a')",
    )
    dtype = random.choice([dtypes[0], dtypes[0], *dtypes])
    shape = random.choice([shapes[0], shapes[0], *shapes])
    text = (
        f"{{'descr': {dtype}, 'fortran_order': {random.choice(['True', 'False', '0'])}, 'shape': {shape}, }}"
    )
    header = text.encode().ljust(random.choice([0, 117])) + b"\n"
    length = random.choice([len(header)] * 4 + [0, 65535])
    size = random.choice([24, 24, 24, 48, 6, 4, 0, 25])
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + header + bytes(size)


def _npz(random: Random) -> bytes:
    members = {
        f"w{i}{random.choice(['.npy'] * 9 + [''])}": _npy(random) for i in range(random.choice([0, 1, 1, 2]))
    }
    return b"\x02" + _damaged(random, _zip(random, members))


KINDS: Final = (_pdparams, _pdparams, _stream, _pth, _npz)


def cases(seed: int, count: int) -> Iterator[bytes]:
    """Give files, each behind a byte that is the index of its suffix."""
    for index in range(count):
        random = Random(f"{seed} {index}")  # noqa: S311 (nothing is secret)
        yield KINDS[index % len(KINDS)](random)


def read(case: bytes) -> None:
    """Read a case, in the process that is limited."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{SUFFIXES[case[0]]}")
        path.write_bytes(case[1:] or b"\x00")
        for name, array in arrays_of(path):
            assert isinstance(name, str)
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            array.sum()


def main() -> int:
    """Run many cases; print what became of them, and keep those that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="folder for failures")
    args = parser.parse_args()
    counts: Counter[str] = Counter()
    for index, (case, verdict) in enumerate(
        zip(cases(args.seed, args.count), run_cases(READER, cases(args.seed, args.count)), strict=True)
    ):
        counts["failed" if verdict.failure else "refused" if verdict.refusal else "read"] += 1
        if verdict.failure:
            args.keep.mkdir(exist_ok=True)
            (args.keep / f"{args.seed}-{index}{SUFFIXES[case[0]]}").write_bytes(case[1:])
            print(f"case {index} ({SUFFIXES[case[0]]}): {verdict.failure}")  # noqa: T201 (a command)
    print(dict(counts))  # noqa: T201 (a command)
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
