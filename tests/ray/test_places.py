"""Addresses: local, of a server, and of a file system in memory; and one sentence for each that is wrong."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import pytest

from pose_onnx import DependencyError, InputError

pytest.importorskip("ray", reason="needs pose-onnx[ray]")

import fsspec

from pose_onnx.cli._sources import Sources
from pose_onnx.folders import VIDEO_SUFFIXES, Skipped
from pose_onnx.heif import HEIF_SUFFIXES
from pose_onnx.image_files import IMAGE_SUFFIXES
from pose_onnx.ray._places import find_items, find_place, local_copy, read_bytes
from pose_onnx.ray._table import failed


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_folder_means_what_is_in_and_below_it(tmp_path: Path, photo: Callable[..., Path]) -> None:
    names = ["b.png", "a.JPG", "sub folder/100%.jpeg", "walk.mp4"]
    for name in [*names[:3], ".hidden.png"]:
        photo(tmp_path / name)
    (tmp_path / "walk.mp4").touch()
    (tmp_path / "notes.txt").touch()
    expected = sorted(str(tmp_path / name) for name in names)
    assert find_items([str(tmp_path)], recursive=True) == expected
    assert find_items([expected[1], tmp_path.as_uri()], recursive=True) == [
        expected[1],
        expected[0],
        *expected[2:],
    ]


def test_a_path_is_the_same_from_everywhere(
    tmp_path: Path, photo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert find_items(["a.png", "./a.png", "."]) == [str(tmp_path / "a.png")]


def test_a_file_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "picture.ppm").write_bytes(b"P6")
    assert find_items([str(tmp_path / "picture.ppm")]) == [str(tmp_path / "picture.ppm")]


def test_a_server(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs pose-onnx[ray]")
    (tmp_path / "a.jpg").write_bytes(b"content")
    with served(tmp_path) as root:
        assert find_items([f"{root}/a.jpg?size=large"]) == [f"{root}/a.jpg?size=large"]
        assert read_bytes(f"{root}/a.jpg?size=large") == b"content"
        with pytest.raises(InputError, match=r"missing\.jpg"):
            find_items([f"{root}/missing.jpg"])


def test_another_file_system() -> None:
    files = fsspec.filesystem("memory")
    files.pipe({"/photos/a.jpg": b"a", "/photos/below/b.mp4": b"b", "/photos/c.txt": b"c"})
    items = find_items(["memory://photos"], recursive=True)
    assert items == ["memory:///photos/a.jpg", "memory:///photos/below/b.mp4"]
    assert read_bytes(items[0]) == b"a"
    with local_copy(items[1]) as copy:
        assert (copy.suffix, copy.read_bytes()) == (".mp4", b"b")
    assert not copy.exists()


def test_a_local_file_is_not_copied(tmp_path: Path) -> None:
    with local_copy(str(tmp_path / "a.mp4")) as path:
        assert path == tmp_path / "a.mp4"


def test_addresses_of_arrow_stay_themselves() -> None:
    place = find_place("gs://bucket/a folder/100%.jpg")
    assert (place.path, place.address) == ("bucket/a folder/100%.jpg", "gs://bucket/a folder/100%.jpg")
    assert place.child("b").address == "gs://bucket/a folder/100%.jpg/b"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/no/such/folder", "does not exist"),
        ("s3://key:secret@bucket/photos", "contains a password"),
        ("nosuch://bucket/photos", "nosuch"),
        ("memory://nothing-here", "does not exist"),
    ],
)
def test_a_wrong_address_is_one_sentence(address: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        find_items([address])
    assert "secret" not in str(caught.value)


def test_a_package_that_is_missing_is_named() -> None:
    fsspec.register_implementation("far", "no_such_package.Files", clobber=True)
    with pytest.raises(DependencyError, match="no_such_package"):
        find_place("far://bucket/photos")


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no pictures or videos"):
        find_items([str(tmp_path)])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are Unicode")
def test_a_name_that_is_no_unicode_has_an_address_that_is(tmp_path: Path) -> None:
    odd = tmp_path / "below" / "a\udcff 100%.jpg"
    odd.parent.mkdir()
    odd.write_bytes(b"content")
    (tmp_path / "z.jpg").touch()
    address, other = find_items([str(tmp_path)], recursive=True)
    assert address == f"file://{tmp_path}/below/a%FF%20100%25.jpg"
    assert other == str(tmp_path / "z.jpg")
    assert find_items([address, str(odd)]) == [address]
    assert read_bytes(address) == b"content"
    with local_copy(address) as path:
        assert path == odd


def test_what_is_skipped_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pose_onnx.folders.can_read_heif", lambda: False)
    for name in ("a.jpg", "b.HEIC", "c.avif", "d.gif", "notes", ".hidden", ".git/e.jpg", "sub/f.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    skipped, flat = Skipped(), Skipped()
    found = find_items([str(tmp_path)], skipped, recursive=True)
    assert found == [str(tmp_path / "a.jpg"), str(tmp_path / "sub/f.mp4")]
    assert skipped.counts == {"foreign": 2, "other": 2}
    heif = "2 HEIC or AVIF pictures (pip install 'pose-onnx[heif]' reads them)"
    assert str(skipped) == f"{heif}, 2 files of other kinds (.gif)"
    assert find_items([str(tmp_path)], flat) == [str(tmp_path / "a.jpg")]
    assert flat.counts == {"foreign": 2, "other": 2, "subfolder": 1}


def test_run_and_batch_agree_on_what_a_folder_holds(tmp_path: Path) -> None:
    suffixes = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *HEIF_SUFFIXES, ".gif", "")
    for place, suffix in product((".", "sub", "sub/sub", ".hidden"), suffixes):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / f"a{suffix}").touch()
    for recursive in (False, True):
        here = Skipped()
        items = find_items([str(tmp_path)], here, recursive=recursive)
        with ExitStack() as stack:
            sources = Sources.find([str(tmp_path)], stack, recursive=recursive)
        assert sorted(map(str, sources.files)) == sorted(items)
        assert (sources.skipped.counts, sources.skipped.suffixes) == (here.counts, here.suffixes)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes(str(tmp_path / "a.jpg"))


def test_a_token_is_in_no_message() -> None:
    address = "nowhere://host/a.jpg?token=secret"
    with pytest.raises(InputError, match=r"token=\*\*\*") as caught:
        find_place(address)
    assert "secret" not in str(caught.value)
    row = failed(address, ValueError(f"bad {address}"))
    assert row.path == address
    assert "secret" not in str(row.error)
