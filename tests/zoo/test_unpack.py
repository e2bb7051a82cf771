"""Archives that nobody vouches for."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pose_onnx import ModelFileError
from pose_onnx.zoo import _unpack
from pose_onnx.zoo._unpack import demand_archive, is_archive, unpack

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
    archive = make(tmp_path / name, FILES)
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
        unpack(archive, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*evil*"))


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ModelFileError, match="is no file"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("link")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(entry)
    with pytest.raises(ModelFileError, match="is no file"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


@MAKERS
def test_too_many_and_too_large_are_refused(
    make: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make(tmp_path / name, FILES)
    monkeypatch.setattr(_unpack, "MAX_FILES", 1)
    with pytest.raises(ModelFileError, match="more than 1 files"):
        unpack(archive, tmp_path / "out")
    monkeypatch.setattr(_unpack, "MAX_FILES", 10)
    monkeypatch.setattr(_unpack, "MAX_BYTES", 1000)
    with pytest.raises(ModelFileError, match="more than 1,000 bytes"):
        unpack(archive, tmp_path / "out2")


@pytest.mark.filterwarnings("ignore:Duplicate name")  # of zipfile, when we make it
def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a", "2")
    with pytest.raises(ModelFileError, match="twice"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@MAKERS
@pytest.mark.parametrize("keep", [0, 60, 100])
def test_a_broken_archive_is_one_sentence(make: Make, name: str, keep: int, tmp_path: Path) -> None:
    archive = make(tmp_path / name, FILES)
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match="broken"):
        unpack(archive, tmp_path / "out")


@MAKERS
def test_a_web_page_is_no_archive(make: Make, name: str, tmp_path: Path) -> None:
    del make
    (tmp_path / name).write_text("<html>Not found</html>")
    with pytest.raises(ModelFileError, match="broken"):
        demand_archive(tmp_path / name)
