"""Downloads from a server that misbehaves: the right file or one clear error, never a broken cache."""

from __future__ import annotations

import hashlib
import math
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import DownloadError, InputError, ModelFileError, OutputError
from pose_onnx.zoo import Policy, _http, _part
from pose_onnx.zoo._fetch import addresses, fetch
from pose_onnx.zoo._http import FinalError, redirected
from pose_onnx.zoo._store import Store
from tests.zoo.conftest import ROOT
from tests.zoo.server import ETAG, Answer, Handler, Web, cut, deaf, raw, redirect, stall, status, whole

QUICK = Policy(attempts=3, first_wait=0.01, longest_wait=0.02, timeout=5)
CONTENT = np.random.default_rng(0).bytes(200_000)
DATE = "Sat, 01 Jan 2022 00:00:00 GMT"
OTHER = np.random.default_rng(1).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/models/file.bin"


def pinned(path: Path) -> None:
    """Accept one file only."""
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != SHA256:
        raise ModelFileError(f"it has SHA-256 {found}")


def anything(path: Path) -> None:
    assert path.is_file()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.bin"


def assert_clean(target: Path) -> None:
    """The file is right, and nothing else is there."""
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        pytest.param([whole(CONTENT)], 1, id="well"),
        pytest.param([whole(CONTENT, etag="")], 1, id="no-etag"),
        pytest.param([status(500), status(503), whole(CONTENT)], 3, id="500-then-well"),
        pytest.param([status(429, Retry_After=0), whole(CONTENT)], 2, id="429-then-well"),
        pytest.param([cut(CONTENT, 70_000)], 3, id="cut-again-and-again"),
        pytest.param([cut(OTHER, 70_000, etag=""), whole(CONTENT, etag="")], 2, id="cut-without-etag"),
        pytest.param([cut(CONTENT, 0), cut(CONTENT, 150_000), whole(CONTENT)], 3, id="nothing-then-more"),
        pytest.param([deaf(CONTENT, 150_000), deaf(CONTENT, 200_000)], 2, id="range-ignored"),
        pytest.param([cut(OTHER, 150_000, etag='"old"'), whole(CONTENT)], 2, id="changed-between"),
        pytest.param([cut(CONTENT, 150_000), status(416), whole(CONTENT)], 3, id="416"),
    ],
)
@pytest.mark.parametrize("accept", [anything, pinned])
def test_the_right_file_comes(
    web: Web, target: Path, answers: list[Answer], requests: int, accept: Callable[[Path], None]
) -> None:
    fetch([web.serve(PATH, *answers)], target, accept=accept, policy=QUICK)
    assert_clean(target)
    assert len(web.requests) == requests


def test_only_what_is_missing_is_sent_again(web: Web, target: Path) -> None:
    fetch([web.serve(PATH, cut(CONTENT, 70_000))], target, accept=anything, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-", "bytes=140000-"]
    assert web.requests[1][1]["If-Range"] == '"version-1"'


def test_a_stopped_download_is_continued_by_the_next(web: Web, target: Path) -> None:
    url = web.serve(PATH, cut(CONTENT, 70_000), status(404))
    with pytest.raises(DownloadError, match="404"):
        fetch([url], target, accept=anything, policy=QUICK)
    assert not target.exists()
    web.serve(PATH, whole(CONTENT))
    fetch([url], target, accept=anything, policy=QUICK)
    assert web.ranges[-1] == "bytes=70000-"
    assert_clean(target)


def test_a_killed_process_leaves_its_part_and_no_lock(web: Web, target: Path) -> None:
    web.serve(PATH, stall(CONTENT, 70_000, seconds=20), whole(CONTENT))
    code = (
        "import sys, pathlib\n"
        "from pose_onnx.zoo._fetch import fetch\n"
        "from pose_onnx.zoo._store import Store\n"
        "url, target = sys.argv[1], pathlib.Path(sys.argv[2])\n"
        "with Store(target.parents[1]).locked('model'):\n"
        "    fetch([url], target, accept=print)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, web.url + PATH, str(target)], cwd=ROOT)
    part = target.with_name(f".part.{target.name}")
    while not (part.exists() and part.stat().st_size == 70_000):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    with Store(target.parents[1]).locked("model"):
        fetch([web.url + PATH], target, accept=anything, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-"]
    assert_clean(target)


def test_a_part_of_another_address_is_not_continued(web: Web, target: Path) -> None:
    first, second = web.serve("/a", cut(OTHER, 70_000), status(404)), web.serve("/b", whole(CONTENT))
    fetch([first, second], target, accept=anything, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-", None]
    assert_clean(target)


def test_two_halves_of_different_files_are_fetched_anew(web: Web, target: Path) -> None:
    answers = cut(OTHER, 70_000), whole(CONTENT)  # with one ETag: the server lies
    fetch([web.serve(PATH, *answers)], target, accept=pinned, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-", None]
    assert_clean(target)


def test_slow_is_a_time_out_and_then_continued(web: Web, target: Path) -> None:
    url = web.serve(PATH, stall(CONTENT, 70_000, seconds=2), whole(CONTENT))
    fetch([url], target, accept=anything, policy=Policy(attempts=3, first_wait=0.01, timeout=0.3))
    assert web.ranges == [None, "bytes=70000-"]
    assert_clean(target)


def test_always_silent_is_an_error(web: Web, target: Path) -> None:
    url = web.serve(PATH, stall(CONTENT, 0, seconds=1))
    with pytest.raises(DownloadError, match="timed out, in 2 attempts"):
        fetch([url], target, accept=anything, policy=Policy(attempts=2, first_wait=0.01, timeout=0.2))
    assert not target.exists()


def test_redirects_are_followed(web: Web, target: Path) -> None:
    web.serve("/real", cut(CONTENT, 150_000), whole(CONTENT))
    fetch([web.serve(PATH, redirect("/real"))], target, accept=anything, policy=QUICK)
    assert [path for path, _ in web.requests] == [PATH, "/real", PATH, "/real"]
    assert_clean(target)


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        (PATH, "redirects more than 10 times"),
        ("file:///etc/passwd", "not an HTTP address"),
        ("ftp://127.0.0.1/file.bin", "not an HTTP address"),
        ("data:,x", "not an HTTP address"),
        ("http://[::1", "not an HTTP address"),
        ("http://127.0.0.1:port/file.bin", "port"),
        (f"http://127.0.0.1:{'9' * 5000}/file.bin", "port"),
        (f"http://{'a' * 300}.invalid/", "label"),
        ("http://user:secret@127.0.0.1/", "not an HTTP address"),
    ],
)
def test_redirects_to_nowhere_are_one_sentence(web: Web, target: Path, to: str, reason: str) -> None:
    with pytest.raises(DownloadError, match=reason) as caught:
        fetch([web.serve(PATH, redirect(to))], target, accept=anything, policy=QUICK)
    assert len(str(caught.value)) < 600
    assert "secret" not in str(caught.value)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("to", ["http://b.invalid/", "//b.invalid", "HTTP://b.invalid", "ftp://b.invalid/"])
def test_redirects_never_leave_https(to: str) -> None:
    if to.startswith("//"):  # the same scheme
        assert redirected("https://a.invalid/", to) == "https://b.invalid"
        return
    with pytest.raises(FinalError, match=r"not encrypted|not an HTTP address"):
        redirected("https://a.invalid/", to)


def test_the_body_of_a_redirect_is_not_read(web: Web, target: Path) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /real\r\n\r\n"
    web.serve("/real", whole(CONTENT))
    fetch([web.serve(PATH, raw(head, again=bytes(1000)))], target, accept=anything, policy=QUICK)
    assert_clean(target)


def version(content: bytes, **headers: str) -> Answer:
    """Serve any range that is asked for, whatever the condition."""

    def answer(handler: Handler) -> None:
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        part = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        handler.start(
            206 if begin else 200, Content_Length=len(content) - begin, Content_Range=part, **headers
        )
        handler.wfile.write(content[begin:] if begin else content[:70_000])

    return answer


@pytest.mark.parametrize(
    ("first", "second", "last_range"),
    [
        pytest.param({"ETag": '"a"'}, {"ETag": '"b"'}, "bytes=70000-", id="another"),
        pytest.param({"ETag": '"a"'}, {}, "bytes=70000-", id="none"),
        pytest.param({"ETag": '"a"'}, {"ETag": 'W/"a"'}, "bytes=70000-", id="weak"),
        pytest.param({"ETag": 'W/"a"'}, {"ETag": 'W/"a"'}, None, id="both-weak"),
        pytest.param({"Last_Modified": DATE}, {"Last_Modified": DATE}, None, id="one-date"),
        pytest.param({"ETag": "a"}, {"ETag": "a"}, None, id="no-etag-at-all"),
    ],
)
def test_halves_of_two_versions_are_never_joined(
    web: Web, target: Path, first: dict[str, str], second: dict[str, str], last_range: str | None
) -> None:
    answers = version(OTHER, **first), version(CONTENT, **second), whole(CONTENT)
    fetch([web.serve(PATH, *answers)], target, accept=anything, policy=QUICK)
    assert_clean(target)
    assert web.ranges == [None, last_range, None][: len(web.ranges)]


def test_a_part_of_another_length_is_not_joined(web: Web, target: Path) -> None:
    answers = cut(OTHER[:-1], 70_000), whole(CONTENT), whole(CONTENT)
    fetch([web.serve(PATH, *answers)], target, accept=anything, policy=QUICK)
    assert_clean(target)


def test_a_note_that_is_broken_starts_anew(web: Web, target: Path) -> None:
    target.parent.mkdir()
    target.with_name(".part.file.bin").write_bytes(OTHER[:70_000])
    for note in ("", "[]", "3", '["", 1, "x"]', f'["{web.url}{PATH}", "x", 200000]', "[" * 100_000):
        target.with_name(".part.file.bin.json").write_text(note)
        fetch([web.serve(PATH, whole(CONTENT))], target, accept=anything, policy=QUICK)
        assert_clean(target)
    assert set(web.ranges) == {None}


HEAD = b"HTTP/1.1 200 OK\r\nETag: %s\r\n" % ETAG.encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raw(HEAD + b"Content-Length: 200000\r\n\r\n", again=b"x", pause=0.05), id="body"),
        pytest.param(raw(HEAD + b"X: ", again=b"x", pause=0.05), id="a-header"),
        pytest.param(raw(b"", again=b"x", pause=0.05), id="the-status"),
        pytest.param(raw(again=b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.001), id="continues"),
        pytest.param(raw(CHUNKED, again=b"x", pause=0.05), id="a-chunk's-length"),
        pytest.param(raw(CHUNKED + b"0\r\n", again=b"X: y\r\n", pause=0.001), id="trailers"),
        pytest.param(redirect(PATH), id="redirects"),
    ],
)
def test_what_drips_ends(web: Web, target: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "_MOST_REDIRECTS", 1_000_000)
    policy = Policy(attempts=1000, first_wait=0, timeout=5, total=0.5)
    with pytest.raises(DownloadError, match=r"it did not send the file within 0\.5 s"):
        fetch([web.serve(PATH, answer)], target, accept=anything, policy=policy)
    assert not target.exists()


def test_a_drip_at_one_address_leaves_time_for_the_next(web: Web, target: Path) -> None:
    first = web.serve("/slow", raw(HEAD + b"\r\n", again=b"x", pause=0.05))
    policy = Policy(timeout=5, total=0.5)
    fetch([first, web.serve(PATH, whole(CONTENT))], target, accept=anything, policy=policy)
    assert_clean(target)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(HEAD + b"\r\n", id="until-closed"),
        pytest.param(CHUNKED, id="chunked"),
        pytest.param(HEAD + b"Content-Length: 200000\r\n\r\n", id="longer-than-promised"),
    ],
)
def test_a_body_without_an_end_leaves_nothing(
    web: Web, target: Path, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_part, "MEMORY", 250_000)
    chunk = b"fff\r\n" + bytes(0xFFF) + b"\r\n" if head == CHUNKED else bytes(1000)
    url = web.serve(PATH, raw(head, again=chunk))
    if b"Length" in head:  # what is beyond it is not read
        fetch([url], target, accept=anything, policy=QUICK)
        assert target.read_bytes() == bytes(200_000)
        return
    with pytest.raises(DownloadError, match="sends more than 250,000 bytes"):
        fetch([url], target, accept=anything, policy=QUICK)
    assert list(target.parent.iterdir()) == []


def test_a_rest_without_an_end_leaves_nothing(web: Web, target: Path) -> None:
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 70000-199999/200000\r\nETag: %s\r\n\r\n"
    url = web.serve(PATH, cut(CONTENT, 70_000), raw(head % ETAG.encode(), again=bytes(1000)))
    with pytest.raises(DownloadError, match="sends more than 200,000 bytes"):
        fetch([url], target, accept=anything, policy=QUICK)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "0x10", "1e3", "\u0663", "1, 1", ""])
def test_a_length_that_is_no_number_is_one_sentence(web: Web, target: Path, length: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: " + length.encode() + b"\r\n\r\n"
    with pytest.raises(DownloadError, match="as the length of the file") as caught:
        fetch([web.serve(PATH, raw(head, CONTENT))], target, accept=anything, policy=QUICK)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("part", ["bytes 70000-199999/" + "9" * 5000, "bytes 7-9/*", "bytes */200000", "x"])
def test_a_range_that_cannot_be_is_fetched_anew(web: Web, target: Path, part: str) -> None:
    strange = status(206, Content_Range=part, ETag=ETAG)
    fetch(
        [web.serve(PATH, cut(OTHER, 70_000), strange, whole(CONTENT))],
        target,
        accept=anything,
        policy=QUICK,
    )
    assert_clean(target)


def test_a_server_does_not_steer_the_terminal(web: Web, target: Path) -> None:
    answers = [
        raw(b"HTTP/1.1 404 \x1b[31mred" + b"x" * 50_000 + b"\r\n\r\n"),
        raw(b"\x1b[31mred" + b"x" * 50_000 + b"\r\n\r\n"),
        raw(b"HTTP/1.1 302 Found\r\nLocation: ftp://\x1b[31mred\r\n\r\n"),
        raw(b"HTTP/1.1 302 Found\r\nLocation: http://\x9b31mred\r\n\r\n"),
    ]
    for answer in answers:
        with pytest.raises(DownloadError) as caught:
            fetch([web.serve(PATH, answer)], target, accept=anything, policy=QUICK)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


def test_a_wait_of_5000_digits_is_cut(web: Web, target: Path) -> None:
    web.serve(PATH, status(503, Retry_After="9" * 5000), whole(CONTENT))
    fetch([web.url + PATH], target, accept=anything, policy=QUICK)
    assert_clean(target)


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (status(404), "HTTP 404", 1),
        (status(403), "HTTP 403", 1),
        (status(500), "HTTP 500 .*, in 3 attempts", 3),
        (cut(CONTENT, 0), "ended after 0 of 200,000 bytes, in 3 attempts", 3),
        (deaf(CONTENT, 70_000), "ended after 70,000 of 200,000 bytes, in 3 attempts", 3),
        (whole(OTHER), "SHA-256", 1),
        (whole(b""), "SHA-256", 1),
    ],
)
def test_what_never_works_is_one_error(
    web: Web, target: Path, answer: Answer, reason: str, requests: int
) -> None:
    with pytest.raises(DownloadError, match=reason) as caught:
        fetch([web.serve(PATH, answer)], target, accept=pinned, policy=QUICK)
    assert "\n" not in str(caught.value)
    assert "POSE_ONNX_MIRROR" in str(caught.value)
    assert not target.exists()
    assert requests <= len(web.requests) <= requests + 1  # the first byte that comes starts the count again


def test_the_next_address_is_tried(web: Web, target: Path) -> None:
    with socket.socket() as unused:  # bound and not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}/file.bin"
        urls = [dead, web.serve("/wrong", whole(OTHER)), web.serve("/gone"), web.serve(PATH, whole(CONTENT))]
        fetch(urls, target, accept=pinned, policy=QUICK)
    assert_clean(target)


def test_what_is_not_accepted_is_not_kept(web: Web, target: Path) -> None:
    def refuse(path: Path) -> None:
        assert path.suffix == target.suffix
        raise ModelFileError("it is a web page")

    with pytest.raises(DownloadError, match="it is a web page"):
        fetch([web.serve(PATH, whole(CONTENT))], target, accept=refuse, policy=QUICK)
    assert list(target.parent.iterdir()) == []


def test_too_large_is_refused_before_it_comes(web: Web, target: Path) -> None:
    url = web.serve(PATH, lambda handler: handler.start(200, Content_Length=1 << 40))
    with pytest.raises(DownloadError, match="at most"):
        fetch([url], target, accept=anything, policy=QUICK)


def test_a_proxy_of_the_environment_is_used(web: Web, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.url)
    web.serve("http://models.invalid/file.bin", whole(CONTENT))
    fetch(["http://models.invalid/file.bin"], target, accept=anything, policy=QUICK)
    assert_clean(target)


def test_offline_connects_to_nobody(web: Web, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_ONNX_OFFLINE", "1")
    with pytest.raises(DownloadError, match="POSE_ONNX_OFFLINE"):
        fetch([web.serve(PATH, whole(CONTENT))], target, accept=anything, policy=QUICK)
    assert web.requests == []


def test_a_folder_that_cannot_be_made(web: Web, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="writable"):
        fetch([web.serve(PATH, whole(CONTENT))], tmp_path / "file" / "x.bin", accept=anything, policy=QUICK)


def test_mirrors_replace_scheme_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://host.invalid/a/b.zip?v=1"
    monkeypatch.setenv("POSE_ONNX_MIRROR", "http://one/base/ https://two")
    assert addresses(url) == ("http://one/base/a/b.zip?v=1", "https://two/a/b.zip?v=1", url)
    monkeypatch.delenv("POSE_ONNX_MIRROR")
    assert addresses(url) == (url,)


@pytest.mark.parametrize(
    "mirror", ["file:///etc", "host/path", "ftp://host", "http://[::1", "https://me:secret@host"]
)
def test_other_schemes_are_refused(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_ONNX_MIRROR", mirror)
    with pytest.raises(InputError, match="not an address to download from") as caught:
        addresses("https://host.invalid/a")
    assert "secret" not in str(caught.value)


def test_a_token_is_in_no_message(web: Web, target: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with pytest.raises(DownloadError, match=r"token=\*\*\*: HTTP 404") as caught:
        fetch([f"{web.url}/gone?token=secret"], target, accept=anything, policy=QUICK)
    assert "secret" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    "given",
    [
        {"attempts": 0},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": math.nan},
        {"timeout": 1e300},
        {"total": 0},
        {"total": math.inf},
        {"first_wait": -1},
    ],
)
def test_policies_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="are not possible"):
        Policy(**given)


def test_waits_grow_and_end() -> None:
    policy = Policy(first_wait=1, longest_wait=10)
    for failures, longest in enumerate([1, 2, 4, 8, 10, 10], start=1):
        assert longest / 2 <= policy.wait(failures) <= longest
