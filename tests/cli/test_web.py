"""`pose-onnx web`: what the folder holds, how it is served, and what is said when something is missing.

The page itself is tested in a browser: tests/end_to_end/test_web.py.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest

from pose_onnx import read_card
from pose_onnx.cli import web
from pose_onnx.exporters.end_to_end import assemble
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE

if TYPE_CHECKING:
    from tests.cli.conftest import Models, Outcome

ROOT = Path(__file__).parents[2]
BIG = 64 << 20  # more than sockets buffer
STOPPED_TWICE = """
import os, shutil, signal, sys
from pose_onnx.cli import main
def delete(*arguments, rmtree=shutil.rmtree, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    rmtree(*arguments, **options)
shutil.rmtree = delete
sys.exit(main())
"""
"""The command line, and a SIGTERM in the moment in which the folder would be deleted."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with onnxruntime-web where npm puts it; its files are only copied here."""
    dist = tmp_path / "node_modules" / "onnxruntime-web" / "dist"
    dist.mkdir(parents=True)
    for name in web._RUNTIME_FILES:
        (dist / name).write_text(f"content of {name}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[web._Server]:
    for name in ("a.mjs", "a.wasm", "a.onnx", "index.html"):
        (tmp_path / name).write_text(name)
    with web._Server((web.HOST, 0), functools.partial(web._Handler, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_all_that_the_page_names(cli: Callable[..., Outcome], project: Path) -> None:
    done = cli("web", "--out", "site")
    assert done.code == 0, done.err
    written = files_in(project / "site")
    assert written > files_in(ROOT / "examples" / "web")
    texts = (path.read_text(encoding="utf-8") for path in (project / "site").glob("*.[hm]*"))
    names = re.findall(r'"(?:\./)?((?:\w+/)?[\w.-]+\.(?:mjs|css|svg|onnx|jpg))"', "\n".join(texts))
    assert {"page.mjs", "models/pose.onnx", "ort/ort.wasm.min.mjs"} < set(names)
    assert set(names) - {"poses.json"} <= written
    for name in web._RUNTIME_FILES:
        assert (project / "site" / "ort" / name).read_text() == f"content of {name}"


def test_its_models_are_the_built_in_pair(cli: Callable[..., Outcome], project: Path) -> None:
    assert cli("web", "--out", "site").code == 0
    for task, name in (("detector", DEFAULT_DETECTOR), ("pose", DEFAULT_POSE)):
        network = ROOT / "models" / f"{name}.onnx"
        expected = assemble(onnx.load(network), read_card(network))
        assert onnx.load(project / "site" / "models" / f"{task}.onnx") == expected


def test_other_models_as_network_or_end_to_end(
    cli: Callable[..., Outcome], project: Path, models: Models
) -> None:
    model = assemble(onnx.load(models.pose), read_card(models.pose))
    onnx.save(model, project / "whole.onnx")
    done = cli("web", "--out", "site", "--detector", models.detector, "--pose", "whole.onnx")
    assert done.code == 0, done.err
    assert read_card(project / "site" / "models" / "detector.onnx").name == "bright"
    assert (project / "site" / "models" / "pose.onnx").read_bytes() == (project / "whole.onnx").read_bytes()


def test_models_that_cannot_be_used(cli: Callable[..., Outcome], project: Path, models: Models) -> None:
    (project / "text.onnx").write_text("not a model")
    tflite = ROOT / "models" / f"{DEFAULT_POSE}.tflite"
    for model, reason in (
        (models.detector, "give one for 'keypoints'"),
        (models.bare_pose, "no model card"),
        (tflite, "give a .onnx file"),
        ("text.onnx", "damaged, or not a .onnx model"),
    ):
        done = cli("web", "--out", "site", "--pose", model)
        assert (done.code, done.out) == (2, "")
        assert reason in done.err
    assert not (project / "site").exists()


def test_the_runtime_is_found_above_and_where_it_is_said_to_be(
    cli: Callable[..., Outcome], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = project / "deep" / "er"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert cli("web", "--out", "site").code == 0
    package = project / "node_modules" / "onnxruntime-web"
    for folder in (project, package, package / "dist"):
        assert cli("web", "--out", "site", "--overwrite", "--runtime", folder).code == 0


def test_files_that_are_there_stay_unless_told_otherwise(cli: Callable[..., Outcome], project: Path) -> None:
    (project / "index.html").write_text("mine")
    done = cli("web", "--out", ".")
    assert (done.code, done.out) == (2, "")
    assert "'index.html' already exists" in done.err
    assert not (project / "page.mjs").exists()
    assert cli("web", "--out", ".", "--overwrite").code == 0
    assert (project / "index.html").read_bytes() == (ROOT / "examples" / "web" / "index.html").read_bytes()


def test_no_runtime_names_the_command_that_gets_it(
    cli: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in ([], ["--runtime", tmp_path]):
        done = cli("web", "--out", "site", *words)
        assert (done.code, done.out) == (2, "")
        assert "npm install onnxruntime-web" in done.err
    assert not (tmp_path / "site").exists()


@pytest.mark.usefixtures("project")
def test_ports_that_cannot_be_used(cli: Callable[..., Outcome]) -> None:
    with socket.create_server((web.HOST, 0)) as taken:
        done = cli("web", "--port", taken.getsockname()[1])
    assert done.code == 2
    assert "give another with --port" in done.err
    assert "must be 0 to 65535" in cli("web", "--port", 70000).err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_stopped_by_a_service_manager_it_leaves_no_folder(project: Path) -> None:
    """Who stops it may well ask twice; the second time comes while the folder is being deleted."""
    temporary = project / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", STOPPED_TWICE, "web", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("http://")
        assert (next(temporary.iterdir()) / "index.html").is_file()
        server.terminate()
        assert server.wait() == 143
    assert list(temporary.iterdir()) == []


def test_headers(served: web._Server) -> None:
    types = {
        "/a.mjs": "text/javascript",
        "/a.wasm": "application/wasm",
        "/a.onnx": "application/octet-stream",
        "/": "text/html; charset=utf-8",
    }
    assert served.server_address[0] == "127.0.0.1"
    for path, kind in types.items():
        connection = HTTPConnection(web.HOST, served.server_port)
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        connection.close()
        assert reply.status == 200
        assert reply.getheader("Content-Type") == kind
        assert reply.getheader("Cross-Origin-Opener-Policy") == "same-origin"
        assert reply.getheader("Cross-Origin-Embedder-Policy") == "require-corp"


def test_a_browser_that_goes_away_leaves_no_traceback(
    served: web._Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.daemon_threads = False  # so that closing waits for them
    with (tmp_path / "big.onnx").open("wb") as file:
        file.truncate(BIG)
    with socket.create_connection((web.HOST, served.server_port)) as client:
        client.sendall(b"GET /big.onnx HTTP/1.0\r\n\r\n")
        assert client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, at once
    served.shutdown()
    served.server_close()
    assert capsys.readouterr().err == ""
