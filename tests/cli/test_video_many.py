"""`pose-onnx video` with several sources at once: outputs for each, whatever happens to the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pose_onnx.cli import _video_outputs
from pose_onnx.cli._interrupt import Terminated
from pose_onnx.cli._video_outputs import Outputs
from pose_onnx.formats import read_end, read_frames
from pose_onnx.video import Frame
from tests.video.clips import make_clip
from tests.video.test_live import Camera

if TYPE_CHECKING:
    from tests.cli.conftest import Models, Outcome


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two videos of a person who comes and goes, 1 s and 1.2 s."""
    folder = tmp_path_factory.mktemp("clips")
    noise = np.random.default_rng(0).integers(0, 60, (48, 64, 3))
    found = []
    for number, count in ((1, 25), (2, 30)):
        images = [(noise + 150 * (index // 5 % 3 > 0)).astype(np.uint8) for index in range(count)]
        found.append(make_clip(folder / f"{number}.mp4", images))
    return found


def lines(path: Path) -> list[str]:
    """Return a file's lines without the header, which names the source and the outputs."""
    return path.read_text(encoding="utf-8").splitlines()[1:]


def test_each_has_the_outputs_that_it_has_alone(
    cli: Callable[..., Outcome], models: Models, clips: list[Path], tmp_path: Path
) -> None:
    words = (*models.options, "--csv", tmp_path / "o.csv", "--jsonl", tmp_path / "o.jsonl")
    done = cli("video", *clips, *words)
    assert (done.code, done.err) == (0, "")
    for number, (clip, said) in enumerate(zip(clips, done.out.splitlines(), strict=True), start=1):
        assert said.startswith(f"{clip}: {20 + 5 * number} frames, ")
        assert said.endswith(f"{tmp_path / f'o-{number}.jsonl'}, {tmp_path / f'o-{number}.csv'}")
        assert cli("video", clip, *words, "--overwrite").code == 0
        assert lines(tmp_path / f"o-{number}.jsonl") == lines(tmp_path / "o.jsonl")
        assert lines(tmp_path / f"o-{number}.csv") == lines(tmp_path / "o.csv")
    again = cli("video", *clips, *words, "--resume")
    assert again.code == 0
    assert again.out.count("nothing is left to do") == 2


def test_one_that_fails_ends_alone(
    cli: Callable[..., Outcome], models: Models, clips: list[Path], tmp_path: Path
) -> None:
    done = cli("video", clips[0], "missing.mp4", clips[1], *models.options, "--jsonl", tmp_path / "o.jsonl")
    assert done.code == 1
    assert done.err.startswith("pose-onnx: missing.mp4: 'missing.mp4' does not exist")
    assert len(done.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o-1.jsonl", "o-3.jsonl"]
    assert read_end(tmp_path / "o-3.jsonl") is not None


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
@pytest.mark.parametrize("count", [1, 2])
def test_what_was_stopped_goes_on(
    cli: Callable[..., Outcome],
    models: Models,
    clips: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    stop: type[KeyboardInterrupt],
    code: int,
) -> None:
    monkeypatch.setattr(_video_outputs, "SAVE_EVERY", 5)
    words = ("video", *clips[:count], *models.options, "--jsonl")
    assert cli(*words, tmp_path / "whole.jsonl").code == 0
    write = Outputs.write

    def interrupted(self: Outputs, frame: Frame) -> None:
        if frame.index == 12:
            raise stop
        write(self, frame)

    with monkeypatch.context() as patch:
        patch.setattr(Outputs, "write", interrupted)
        done = cli(*words, tmp_path / "o.jsonl")
    assert done.code == code
    assert done.err.count("continue with --resume") == count
    assert cli(*words, tmp_path / "o.jsonl", "--resume").code == 0
    for end in ("-1", "-2") if count > 1 else ("",):
        assert lines(tmp_path / f"o{end}.jsonl") == lines(tmp_path / f"whole{end}.jsonl")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--show"], "--show was given with 2 sources"),
        ([], "no output was given"),
        (["--jsonl", "{taken}"], "already exists"),
        (["--out", "{folder}/1.mp4", "--overwrite"], "is both a source and an output"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    cli: Callable[..., Outcome], clips: list[Path], tmp_path: Path, words: list[str], reason: str
) -> None:
    taken = make_clip(tmp_path / "1-1.mp4", [np.zeros((48, 64, 3), np.uint8)] * 3)
    (tmp_path / "o-2.jsonl").touch()
    before = taken.read_bytes()
    filled = [word.format(taken=tmp_path / "o.jsonl", folder=tmp_path) for word in words]
    done = cli("video", clips[0], taken, *filled)
    assert (done.code, done.out) == (2, "")
    assert reason in done.err
    assert len(done.err.splitlines()) == 1
    assert taken.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"1-1.mp4", "o-2.jsonl"}


class Rubbish(BaseHTTPRequestHandler):
    """A server that says it has video, and has none."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        self.wfile.write(np.random.default_rng(0).bytes(10_000))


@pytest.fixture
def servers() -> Iterator[tuple[Camera, str]]:
    """Return a camera whose first connection is cut, and the address of a server that sends rubbish."""
    camera, rubbish = Camera(), ThreadingHTTPServer(("127.0.0.1", 0), Rubbish)
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        for server in (camera, rubbish)
    ]
    for thread in threads:
        thread.start()
    yield camera, f"http://127.0.0.1:{rubbish.server_port}/x.ts"
    camera.stopping.set()
    for server, thread in zip((camera, rubbish), threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_camera_that_comes_back_beside_rubbish_and_a_file(
    cli: Callable[..., Outcome],
    models: Models,
    clips: list[Path],
    servers: tuple[Camera, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera, rubbish = servers
    write = Outputs.write

    def until_it_is_back(self: Outputs, frame: Frame) -> None:
        write(self, frame)
        is_done = (tmp_path / "o-3.jsonl").exists() and read_end(tmp_path / "o-3.jsonl")
        if camera.connections > 1 and is_done:
            raise KeyboardInterrupt

    monkeypatch.setattr(Outputs, "write", until_it_is_back)
    words = (*models.options, "--jsonl", tmp_path / "o.jsonl")
    done = cli("video", camera.address, rubbish, clips[0], *words)
    assert done.code == 130
    assert done.out.startswith(f"{clips[0]}: 25 frames")
    assert f"{camera.address}: stopped after" in done.err
    assert f"{rubbish}: '{rubbish}' cannot be opened" in done.err
    indices = [frame.index for frame in read_frames(tmp_path / "o-1.jsonl")]
    assert indices == sorted(set(indices))
    assert not (tmp_path / "o-2.jsonl").exists()
