"""Hostile archives: random entries of every kind, sizes and paths that lie, changed bytes.

`python -m tests.fuzz.archives [ARCHIVES [FIRST_SEED]]` tries many.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import sys
import tarfile
import tempfile
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import Final

from pose_onnx.budget import Budget
from pose_onnx.errors import ModelFileError, PoseOnnxError
from pose_onnx.zoo import _unpack
from tests.fuzz.seeds import try_many

READER: Final = "tests.fuzz.archives:read_seed"
LIMIT: Final = 2 << 20
"""Bytes that an archive may take here; less than in earnest, so that bombs burst early."""
vars(_unpack)["Budget"] = partial(Budget, limit=LIMIT)

NAMES: Final = (
    *("a", "model/b.pdmodel", "model/c.pdiparams", "d" * 150, "é", "e/" * 60 + "e") * 2,
    *(
        "../x",
        "/x/y",
        "a/../../x",
        "C:x",
        "..\\x",
        ".",
        "",
        "a/",
        "/",
        "\0",
        "f" * 300,
        "g/" * 3000,
        "a\nb",
    ),
)
SIZES: Final = (0, 1, 511, 512, 513, 70_000, 1 << 20, 1 << 31, (1 << 33) - 1, 1 << 40, 1 << 62, -1, -512)
KINDS: Final = (b"0", b"\0", b"5", *(bytes([kind]) for kind in b"0000123467LKLKSxgxgXVDN"))
PAX: Final = (
    b"path",
    b"size",
    b"GNU.sparse.map",
    b"GNU.sparse.major",
    b"GNU.sparse.size",
    b"mtime",
    b"comment",
)


def read_seed(case: bytes) -> None:
    """Unpack a random archive; fail if anything is outside of its folder, is a link, or is too much."""
    rng = random.Random(int(case))  # noqa: S311 (no secret)
    with tempfile.TemporaryDirectory() as folder:
        name, content = rng.choice((_zip, _tar, _tar))(rng)
        archive, out = Path(folder, "deep", name), Path(folder, "deep", "out")
        archive.parent.mkdir()
        archive.write_bytes(content)
        try:
            _unpack.unpack_here(str(archive), str(out))
        except PoseOnnxError:
            raise
        except Exception as error:  # as the child process does that `unpack` starts
            raise ModelFileError(f"{type(error).__name__}: {error}") from error
        finally:
            assert {*Path(folder).iterdir()} == {archive.parent}
            assert {*archive.parent.iterdir()} <= {archive, out}
            found = [path for path in out.rglob("*") if not path.is_dir()]
            assert not any(map(os.path.islink, out.rglob("*")))
            assert sum(path.stat().st_size for path in found) <= LIMIT


def _changed(rng: random.Random, content: bytes, most: int) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((0, 0, 1, rng.randint(0, most)))):
        begin = rng.randrange(len(changed))
        changed[begin : begin + rng.choice((1, 1, 4, 8))] = rng.choice(
            (rng.randbytes(1), rng.randbytes(4), b"\xff" * 4, b"\0" * 8, b"", b"\x80" + bytes(7))
        )
    return bytes(changed[: rng.randrange(len(changed))] if rng.random() < 0.1 else changed)


def _zip(rng: random.Random) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # two files of one name
        count = rng.choice((0, 1, 3, 3, 20, 20, 1100))
        for _ in range(count):
            item = zipfile.ZipInfo(rng.choice(NAMES)[:60_000])
            item.compress_type = rng.choice((0, 8, 8, 8, 12, 14))
            item.external_attr = rng.choice((0, 0, 0o100644 << 16, 0o120777 << 16, 0o20777 << 16, 1 << 31))
            item.extra = rng.choice((*[b""] * 30, b"\1\0\x08\0" + rng.randbytes(8), rng.randbytes(9)))
            archive.writestr(item, bytes(rng.choice((0, 1, 1000, LIMIT // count))))
    content = bytearray(_changed(rng, buffer.getvalue(), 10))
    at = content.find(b"PK\1\2")
    if at >= 0 and rng.random() < 0.5:  # sizes and the offset in the first entry of the directory
        for field in rng.sample((20, 24, 42), rng.randint(1, 3)):
            number = rng.choice((0, 1, 1000, 1 << 31, 0xFFFFFFFE, 0xFFFFFFFF))
            content[at + field : at + field + 4] = number.to_bytes(4, "little")
    return "a.zip", bytes(content)


def _tar(rng: random.Random) -> tuple[str, bytes]:
    entries = [_entry(rng) for _ in range(rng.choice((1, 3, 8, 8)))]
    if rng.random() < 0.1:
        entries *= rng.choice((100, 1000))
    content = _changed(rng, b"".join(entries)[: 2 * LIMIT], 4) + bytes(rng.choice((0, 512, 1024)))
    packers = (bytes, partial(gzip.compress, compresslevel=1), lzma.compress, bz2.compress)
    pack = rng.choice(packers[:2] if len(content) > 1 << 16 else packers)  # the others are slow
    packed = pack(content)
    return "a.tar", packed if rng.random() < 0.8 else _changed(rng, packed, 4)


def _entry(rng: random.Random) -> bytes:
    item = tarfile.TarInfo(rng.choice(NAMES)[:90].replace("\0", "x"))
    item.type = rng.choice(KINDS)
    item.linkname = rng.choice(NAMES)[:90]
    content = _pax(rng) if item.type in b"xgX" else bytes(rng.choice((0, 1, 512, 5000, 100_000)))
    item.size = len(content) if rng.random() < 0.8 else rng.choice(SIZES)
    header = bytearray(item.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
    if rng.random() < 0.3:  # fields of the sparse format, the prefix, numbers
        at = rng.choice((100, 124, 136, 157, 257, 345, 386, 482, 483))
        header[at : at + 8] = rng.randbytes(8)
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(header))[0]  # type: ignore[attr-defined]
    return bytes(header) + content + bytes(-len(content) % 512)


def _pax(rng: random.Random) -> bytes:
    records = b""
    for _ in range(rng.choice((1, 3, 300))):
        value = rng.choice(
            (b"1", b"-1", b"9" * 5000, b"0,1," * 2000, rng.choice(NAMES).encode(), b"\xff", b"")
        )
        body = b" %s=%s\n" % (rng.choice(PAX), value)
        length = len(body) + len(b"%d" % len(body))
        records += b"%d" % (length if rng.random() < 0.9 else rng.choice(SIZES)) + body
    return records


if __name__ == "__main__":
    sys.exit(try_many(READER))
