"""Downloads from a server that misbehaves: the right file or one clear error, never a broken cache."""

from __future__ import annotations

import hashlib
import math
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import DownloadError, InputError, ModelFileError, OutputError
from pose_onnx.zoo import Policy
from pose_onnx.zoo._fetch import addresses, fetch
from pose_onnx.zoo._store import Store
from tests.zoo.conftest import ROOT
from tests.zoo.server import Answer, Web, cut, deaf, redirect, stall, status, whole

QUICK = Policy(attempts=3, first_wait=0.01, longest_wait=0.02, timeout=5)
CONTENT = np.random.default_rng(0).bytes(200_000)
OTHER = np.random.default_rng(1).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/models/file.bin"


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
@pytest.mark.parametrize("sha256", ["", SHA256], ids=["any", "pinned"])
def test_the_right_file_comes(
    web: Web, target: Path, answers: list[Answer], requests: int, sha256: str
) -> None:
    fetch([web.serve(PATH, *answers)], target, sha256=sha256, policy=QUICK)
    assert_clean(target)
    assert len(web.requests) == requests


def test_only_what_is_missing_is_sent_again(web: Web, target: Path) -> None:
    fetch([web.serve(PATH, cut(CONTENT, 70_000))], target, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-", "bytes=140000-"]
    assert web.requests[1][1]["If-Range"] == '"version-1"'


def test_a_stopped_download_is_continued_by_the_next(web: Web, target: Path) -> None:
    url = web.serve(PATH, cut(CONTENT, 70_000), status(404))
    with pytest.raises(DownloadError, match="404"):
        fetch([url], target, policy=QUICK)
    assert not target.exists()
    web.serve(PATH, whole(CONTENT))
    fetch([url], target, policy=QUICK)
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
        "    fetch([url], target)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, web.url + PATH, str(target)], cwd=ROOT)
    part = target.with_name(f".part.{target.name}")
    while not (part.exists() and part.stat().st_size == 70_000):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    with Store(target.parents[1]).locked("model"):
        fetch([web.url + PATH], target, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-"]
    assert_clean(target)


def test_a_part_of_another_address_is_not_continued(web: Web, target: Path) -> None:
    first, second = web.serve("/a", cut(OTHER, 70_000), status(404)), web.serve("/b", whole(CONTENT))
    fetch([first, second], target, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-", None]
    assert_clean(target)


def test_two_halves_of_different_files_are_fetched_anew(web: Web, target: Path) -> None:
    answers = cut(OTHER, 70_000), whole(CONTENT)  # with one ETag: the server lies
    fetch([web.serve(PATH, *answers)], target, sha256=SHA256, policy=QUICK)
    assert web.ranges == [None, "bytes=70000-", None]
    assert_clean(target)


def test_slow_is_a_time_out_and_then_continued(web: Web, target: Path) -> None:
    url = web.serve(PATH, stall(CONTENT, 70_000, seconds=2), whole(CONTENT))
    fetch([url], target, policy=Policy(attempts=3, first_wait=0.01, timeout=0.3))
    assert web.ranges == [None, "bytes=70000-"]
    assert_clean(target)


def test_always_silent_is_an_error(web: Web, target: Path) -> None:
    url = web.serve(PATH, stall(CONTENT, 0, seconds=1))
    with pytest.raises(DownloadError, match="timed out, in 2 attempts"):
        fetch([url], target, policy=Policy(attempts=2, first_wait=0.01, timeout=0.2))
    assert not target.exists()


def test_redirects_are_followed(web: Web, target: Path) -> None:
    web.serve("/real", cut(CONTENT, 150_000), whole(CONTENT))
    fetch([web.serve(PATH, redirect("/real"))], target, policy=QUICK)
    assert [path for path, _ in web.requests] == [PATH, "/real", PATH, "/real"]
    assert_clean(target)


@pytest.mark.parametrize("to", [PATH, "file:///etc/passwd"])
def test_redirects_to_nowhere_are_an_error(web: Web, target: Path, to: str) -> None:
    with pytest.raises(DownloadError, match="HTTP 302"):
        fetch([web.serve(PATH, redirect(to))], target, policy=QUICK)


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
        fetch([web.serve(PATH, answer)], target, sha256=SHA256, policy=QUICK)
    assert "\n" not in str(caught.value)
    assert "POSE_ONNX_MIRROR" in str(caught.value)
    assert not target.exists()
    assert requests <= len(web.requests) <= requests + 1  # the first byte that comes starts the count again


def test_the_next_address_is_tried(web: Web, target: Path) -> None:
    with socket.socket() as unused:  # bound and not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}/file.bin"
        urls = [dead, web.serve("/wrong", whole(OTHER)), web.serve("/gone"), web.serve(PATH, whole(CONTENT))]
        fetch(urls, target, sha256=SHA256, policy=QUICK)
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
        fetch([url], target, policy=QUICK)


def test_a_proxy_of_the_environment_is_used(web: Web, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.url)
    web.serve("http://models.invalid/file.bin", whole(CONTENT))
    fetch(["http://models.invalid/file.bin"], target, policy=QUICK)
    assert_clean(target)


def test_offline_connects_to_nobody(web: Web, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_ONNX_OFFLINE", "1")
    with pytest.raises(DownloadError, match="POSE_ONNX_OFFLINE"):
        fetch([web.serve(PATH, whole(CONTENT))], target, policy=QUICK)
    assert web.requests == []


def test_a_folder_that_cannot_be_made(web: Web, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="writable"):
        fetch([web.serve(PATH, whole(CONTENT))], tmp_path / "file" / "x.bin", policy=QUICK)


def test_mirrors_replace_scheme_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://host.invalid/a/b.zip?v=1"
    monkeypatch.setenv("POSE_ONNX_MIRROR", "http://one/base/ https://two")
    assert addresses(url) == ("http://one/base/a/b.zip?v=1", "https://two/a/b.zip?v=1", url)
    monkeypatch.delenv("POSE_ONNX_MIRROR")
    assert addresses(url) == (url,)


@pytest.mark.parametrize("mirror", ["file:///etc", "host/path", "ftp://host"])
def test_other_schemes_are_refused(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSE_ONNX_MIRROR", mirror)
    with pytest.raises(InputError, match="no address to download from"):
        addresses("https://host.invalid/a")


@pytest.mark.parametrize("given", [{"attempts": 0}, {"timeout": 0}, {"timeout": -1}, {"timeout": math.nan}])
def test_policies_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot be made"):
        Policy(**given)


def test_waits_grow_and_end() -> None:
    policy = Policy(first_wait=1, longest_wait=10)
    for failures, longest in enumerate([1, 2, 4, 8, 10, 10], start=1):
        assert longest / 2 <= policy.wait(failures) <= longest
