"""Archives that nobody vouches for."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pose_onnx import ModelFileError, OutputError
from pose_onnx.budget import MEMORY, Budget
from pose_onnx.zoo import _unpack
from pose_onnx.zoo._unpack import demand_archive, is_archive, look_here, members, unpack, unpack_here

FILES = {"model/a.txt": b"a" * 1000, "model/deep/b.txt": b"b"}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("model") if hasattr(archive, "mkdir") else None
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


MAKERS = pytest.mark.parametrize(
    ("make", "name"), [(make_zip, "a.zip"), (make_tar, "a.tar.gz"), (make_tar, "a.tgz")]
)
Make = Callable[[Path, dict[str, bytes]], Path]


@MAKERS
def test_files_come_out(make: Make, name: str, tmp_path: Path) -> None:
    archive = make(tmp_path / name, {**FILES, "model/._a.txt": b"-", "__MACOSX/model/._a.txt": b"-"})
    assert is_archive(archive)
    demand_archive(archive)
    unpack(archive, tmp_path / "out")
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == FILES


@MAKERS
@pytest.mark.parametrize("evil", ["../evil", "/evil", "a/../../evil", "..", "..\\evil", "C:\\evil", "C:evil"])
def test_paths_outside_are_refused(make: Make, name: str, evil: str, tmp_path: Path) -> None:
    archive = make(tmp_path / name, {evil: b"x"})
    with pytest.raises(ModelFileError, match="outside its folder"):
        unpack_here(str(archive), str(tmp_path / "deep" / "out"))
    assert not list(tmp_path.rglob("*evil*"))


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ModelFileError, match="is not a file"):
        unpack_here(str(tmp_path / "a.zip"), str(tmp_path / "out"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("link")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(entry)
    with pytest.raises(ModelFileError, match="is not a file"):
        unpack_here(str(tmp_path / "a.tar"), str(tmp_path / "out"))


@MAKERS
def test_too_many_are_refused(make: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make(tmp_path / name, FILES)
    monkeypatch.setattr(_unpack, "MAX_FILES", 1)
    with pytest.raises(ModelFileError, match="more than 1 files"):
        unpack_here(str(archive), str(tmp_path / "out"))


def promising(path: Path, size: int) -> Path:
    """Make a zip file of one file of 1,000 bytes that says it has another size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1000))
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02") + 24
    path.write_bytes(content[:at] + size.to_bytes(4, "little") + content[at + 4 :])
    return path


def test_a_zip_is_charged_for_what_it_promises_before_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=f"more than {MEMORY:,} bytes"):
        unpack_here(str(promising(tmp_path / "a.zip", 0xFFFFFFFE)), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_zip_gives_no_more_than_it_promises(tmp_path: Path) -> None:
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        unpack_here(str(promising(tmp_path / "a.zip", 10)), str(tmp_path / "out"))
    assert (tmp_path / "out" / "a").stat().st_size <= 10


def test_the_directory_of_a_zip_is_charged_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"..PK\x01\x02" * ((1 << 19) + 1))
    with pytest.raises(ModelFileError, match=f"more than {MEMORY:,} bytes"):
        unpack_here(str(tmp_path / "a.zip"), str(tmp_path / "out"))


def raw_tar(path: Path, *entries: tuple[bytes, int, bytes]) -> Path:
    """Make a tar file of entries of any type, size in the header and content."""
    with bz2.open(path, "wb") as file:
        for kind, size, content in entries:
            entry = tarfile.TarInfo("a")
            entry.type, entry.size = kind, size
            file.write(entry.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512))
        file.write(bytes(1024))
    return path


LONG = 1 << 20
PAX = b"%d path=%s\n" % (LONG, b"a" * (LONG - 14))


@pytest.mark.parametrize(
    ("kind", "size", "content"),
    [
        (tarfile.GNUTYPE_LONGNAME, LONG, b"a" * LONG),
        (tarfile.GNUTYPE_LONGLINK, LONG, b"a" * LONG),
        (tarfile.XHDTYPE, len(PAX), PAX),
        (tarfile.XGLTYPE, len(PAX), PAX),
        (tarfile.GNUTYPE_LONGNAME, 1 << 40, b"a"),
        (tarfile.XHDTYPE, -512, b"a" * 512),
    ],
)
def test_headers_of_a_tar_are_not_read_without_limit(
    kind: bytes, size: int, content: bytes, tmp_path: Path
) -> None:
    archive = raw_tar(tmp_path / "a.tar.bz2", (kind, size, content), (tarfile.REGTYPE, 1, b"a"))
    with pytest.raises(tarfile.ReadError, match="header is too long"):
        look_here(str(archive))


def test_headers_without_an_end_are_charged(tmp_path: Path) -> None:
    blocks = (bytes(504) + b"\1" + bytes(7)) * 1000  # each says that another follows
    first = tarfile.TarInfo("a")
    first.type = tarfile.GNUTYPE_SPARSE
    buffer = bytearray(first.tobuf(tarfile.GNU_FORMAT))
    buffer[482] = 1
    buffer[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(buffer))[0]  # type: ignore[attr-defined]
    (tmp_path / "a.tar").write_bytes(buffer + blocks)
    with pytest.raises(ModelFileError, match="more than 100,000 bytes"):
        next(members(tmp_path / "a.tar", Budget("archive", 100_000)))


def test_headers_that_follow_each_other_without_an_end_are_refused(tmp_path: Path) -> None:
    pax = b"30 comment=%s\n" % (b"a" * 18)
    archive = raw_tar(tmp_path / "a.tar.bz2", *[(tarfile.XGLTYPE, len(pax), pax)] * 2000)
    with pytest.raises(ModelFileError, match="is broken"):
        demand_archive(archive)


def test_a_tar_is_charged_for_what_it_promises_before_it_is_written(tmp_path: Path) -> None:
    archive = raw_tar(tmp_path / "a.tar.bz2", (tarfile.REGTYPE, 1 << 40, b"a"))
    with pytest.raises(ModelFileError, match=f"more than {MEMORY:,} bytes"):
        unpack_here(str(archive), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("opener", [open, gzip.open, bz2.open, lzma.open])
def test_a_tar_is_known_by_its_bytes(opener: Callable[..., Any], tmp_path: Path) -> None:
    plain = make_tar(tmp_path / "a.tar.gz", FILES)
    with opener(tmp_path / "b.tar", "wb") as file:
        file.write(gzip.decompress(plain.read_bytes()))
    unpack_here(str(tmp_path / "b.tar"), str(tmp_path / "out"))
    assert (tmp_path / "out" / "model" / "a.txt").read_bytes() == FILES["model/a.txt"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a" * 300: b""})
    with pytest.raises(OutputError, match="cannot be written"):
        unpack(archive, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")  # of zipfile, when we make it
def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a", "2")
    with pytest.raises(ModelFileError, match="twice"):
        unpack_here(str(tmp_path / "a.zip"), str(tmp_path / "out"))


@MAKERS
@pytest.mark.parametrize("keep", [0, 100])
def test_a_broken_archive_is_one_sentence(make: Make, name: str, keep: int, tmp_path: Path) -> None:
    archive = make(tmp_path / name, FILES)
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=r"is broken \(.*\); get it again"):
        unpack(archive, tmp_path / "out")


@MAKERS
def test_a_web_page_is_no_archive(make: Make, name: str, tmp_path: Path) -> None:
    del make
    (tmp_path / name).write_text("<html>Not found</html>")
    with pytest.raises(ModelFileError, match=r"is broken \(.*\); get it again"):
        demand_archive(tmp_path / name)
