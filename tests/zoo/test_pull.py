"""An official name becomes files: from a server that stands in for the official one, by a real conversion."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pose_onnx import (
    CardError,
    DependencyError,
    DownloadError,
    InputError,
    KeypointModel,
    ModelFileError,
    UnknownNameError,
    load_card,
    zoo,
)
from pose_onnx.exporters import _tools
from pose_onnx.zoo import Policy
from pose_onnx.zoo._store import Store, sha256_of
from tests.zoo.conftest import MODEL, ROOT
from tests.zoo.server import Server, Web, cut, redirect, status, whole

PROCESSES = 8
QUICK = Policy(attempts=2, first_wait=0.01, longest_wait=0.02, timeout=5)
REMOTE = urlsplit(load_card(MODEL).download).path
FILES = (f"{MODEL}.onnx", f"{MODEL}.tflite", f"{MODEL}.receipt.json", f"downloads/{MODEL}.pdparams")


@pytest.fixture(scope="module")
def pulled(server: Server, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which eight processes pulled one model at once, over a bad connection."""
    home = tmp_path_factory.mktemp("pulled") / "home"
    web = server.web = Web(f"http://127.0.0.1:{server.server_port}")
    content = checkpoint.read_bytes()
    web.serve(REMOTE, status(503), cut(content, 100_000), redirect("/real"))
    web.serve("/real", whole(content))
    plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**plain, "POSE_ONNX_HOME": str(home), "POSE_ONNX_MIRROR": web.url}
    command = [sys.executable, "-m", "pose_onnx", "models", "pull", MODEL]
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for process in running:
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
        assert printed.splitlines() == [str(home / name) for name in FILES[:2]]
    assert [path for path, _ in web.requests] == [REMOTE, REMOTE, REMOTE, "/real"]
    return home


@pytest.fixture
def at_pulled(pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a copy of that folder the models' folder, and forbid the network in every way."""
    home = tmp_path / "copied"
    shutil.copytree(pulled, home)
    monkeypatch.setenv("POSE_ONNX_HOME", str(home))
    monkeypatch.setenv("POSE_ONNX_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", None)
    return home


def test_eight_processes_make_one_clean_folder(pulled: Path) -> None:
    found = {path.relative_to(pulled).as_posix() for path in pulled.rglob("*") if path.is_file()}
    assert {name for name in found if not name.startswith(".locks/")} == {*FILES, "models.lock.json"}
    pins = json.loads((pulled / "models.lock.json").read_text())["models"]
    assert pins == {MODEL: {name: sha256_of(pulled / name) for name in pins[MODEL]}}
    assert pins[MODEL].keys() == {*FILES}


def test_everything_works_without_a_network(at_pulled: Path) -> None:
    assert zoo.pull(MODEL) == tuple(at_pulled / name for name in FILES[:2])
    assert {*zoo.where(MODEL)} == {at_pulled / name for name in FILES}
    assert {item.state for item in zoo.check()} == {"ok"}
    for backend in ("ort", "tflite"):
        assert KeypointModel(MODEL, backend=backend).card.name == MODEL


def test_offline_says_what_is_missing(at_pulled: Path) -> None:
    with pytest.raises(DownloadError, match=r"POSE_ONNX_OFFLINE.*--dest"):
        zoo.pull("tinypose_256x192")
    assert {*zoo.where(MODEL)} == {at_pulled / name for name in FILES}


def test_a_changed_file_is_an_error(at_pulled: Path) -> None:
    changed = at_pulled / f"{MODEL}.onnx"
    changed.write_bytes(changed.read_bytes() + b"\0")
    with pytest.raises(ModelFileError, match="somebody changed it"):
        zoo.pull(MODEL)
    assert {item.path for item in zoo.check() if item.state == "changed"} == {changed}


def test_a_changed_download_is_not_converted(at_pulled: Path) -> None:
    (at_pulled / f"{MODEL}.onnx").unlink()
    (at_pulled / f"downloads/{MODEL}.pdparams").write_bytes(b"changed")
    with pytest.raises(ModelFileError, match="somebody changed it"):
        zoo.pull(MODEL)
    states = {item.path.name: item.state for item in zoo.check()}
    assert states[f"{MODEL}.onnx"] == "missing"
    assert states[f"{MODEL}.pdparams"] == "changed"


def test_another_file_at_the_address_is_an_error_later(
    at_pulled: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("POSE_ONNX_HOME", str(at_pulled))
    monkeypatch.setenv("POSE_ONNX_MIRROR", web.url)
    monkeypatch.setattr("pose_onnx.zoo._pull.addresses", lambda url: (web.url + urlsplit(url).path,))
    (at_pulled / f"{MODEL}.onnx").unlink()
    (at_pulled / f"downloads/{MODEL}.pdparams").unlink()
    web.serve(REMOTE, whole(pickle.dumps({})))
    with pytest.raises(DownloadError, match="SHA-256"):
        zoo.pull(MODEL, policy=QUICK)


def test_remove_deletes_the_model_and_nothing_else(at_pulled: Path) -> None:
    others = [at_pulled / "notes.txt", at_pulled / "tinypose_256x192.onnx", at_pulled / "downloads" / "x.zip"]
    for other in others:
        other.touch()
    assert {*zoo.remove(MODEL)} == {at_pulled / name for name in FILES}
    assert zoo.where(MODEL) == ()
    assert all(other.is_file() for other in others)
    with pytest.raises(UnknownNameError, match="nothing of it was pulled"):
        zoo.remove(MODEL)


def own_card(home: Path, name: str, download: str, sha256: str = "") -> None:
    """Give a name an address on the test's server."""
    card = replace(load_card(MODEL), name=name, download=download, sha256=sha256)
    home.mkdir(exist_ok=True)
    (home / f"{name}.json").write_text(card.to_json())


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [
        (zipped(**{"..__evil": b"x"}), ModelFileError, "outside its folder"),
        (zipped(readme=b"x"), ModelFileError, "0 Paddle programs and 0 checkpoints"),
        (zipped(**{"m__a.pdmodel": b"x"}), ModelFileError, "0 Paddle programs"),
        (b"<html>", DownloadError, "is broken"),
    ],
)
def test_a_bad_archive_is_one_error_and_is_not_kept(
    home: Path, web: Web, content: bytes, error: type[Exception], reason: str
) -> None:
    own_card(home, "zipped", web.serve("/model.zip", whole(content)))
    with pytest.raises(error, match=reason):
        zoo.pull("zipped", policy=QUICK)
    assert {path.name for path in home.rglob("*") if path.is_file()} <= {"zipped.json", "zipped.lock"}
    assert not list(home.parent.rglob("*evil*"))


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [
        (b"<html>not found</html>", DownloadError, "broken or no .pdparams"),
        (pickle.dumps(print), DownloadError, "was not run"),
    ],
)
def test_what_is_no_checkpoint_is_not_kept(
    home: Path, web: Web, content: bytes, error: type[Exception], reason: str
) -> None:
    own_card(home, "fine", web.serve("/model.pdparams", whole(content)))
    with pytest.raises(error, match=reason):
        zoo.pull("fine", policy=QUICK)
    assert not list((home / "downloads").iterdir())


def test_a_checkpoint_of_another_network_is_not_kept(home: Path, web: Web, checkpoint: Path) -> None:
    state = pickle.loads(checkpoint.read_bytes())
    state.pop("final_conv.bias")
    own_card(home, "fine", web.serve("/model.pdparams", whole(pickle.dumps(state))))
    with pytest.raises(ModelFileError, match=r"1 missing: final_conv\.bias"):
        zoo.pull("fine", policy=QUICK)
    assert not list((home / "downloads").iterdir())


def test_a_card_may_pin_before(home: Path, web: Web, checkpoint: Path) -> None:
    own_card(home, "fine", web.serve("/model.pdparams", whole(checkpoint.read_bytes())), sha256="0" * 64)
    with pytest.raises(DownloadError, match=r"0{64} is expected"):
        zoo.pull("fine", policy=QUICK)


def test_no_download_address(home: Path) -> None:
    own_card(home, "fine", "")
    with pytest.raises(CardError, match="models add"):
        zoo.pull("fine")


def test_names_that_cannot_be(home: Path) -> None:
    with pytest.raises(UnknownNameError, match="choose one of"):
        zoo.pull("../tinypose")
    with pytest.raises(InputError, match="cannot be a model's name"):
        zoo.remove("../tinypose")
    assert not home.exists()


def test_without_the_extra_it_says_what_else_works(
    home: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tools, "find_spec", lambda _: None)
    with pytest.raises(DependencyError, match=r"pip install.*built-in models.*--dest DIR.*POSE_ONNX_HOME"):
        zoo.pull(MODEL)
    assert web.requests == []
    assert zoo.where(MODEL) == ()
    assert not list(home.glob("*"))


@pytest.mark.parametrize("precision", [(), ("fp32", "fp99")])
def test_precisions_that_are_not(home: Path, web: Web, precision: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="choose out of"):
        zoo.pull(MODEL, precision=precision)
    assert web.requests == []
    assert not home.exists()


def test_a_card_of_ours_that_is_broken_names_its_file(home: Path) -> None:
    home.mkdir()
    (home / "mine.json").write_text("{")
    with pytest.raises(CardError, match=r"mine\.json.*not JSON"):
        load_card("mine")


def test_writers_of_the_table_lose_nothing_of_each_other(home: Path) -> None:
    def put(model: str) -> None:
        store = Store(home)
        with store.locked(model), store.workspace(model) as work:
            (work / "file").write_text(model)
            store.put(model, {f"{model}.onnx": work / "file"})

    models = [f"model{index}" for index in range(50)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(put, models))
    assert Store(home).pins().keys() == {*models}
    assert {item.state for item in zoo.check()} == {"ok"}


def test_no_model_takes_the_file_of_another(home: Path) -> None:
    (home / "made").mkdir(parents=True)
    for name in ("a", "b"):
        (home / "made" / name).write_text(name)
    store = Store(home)
    store.put("mine", {"mine_fp16.onnx": home / "made" / "a"})
    with pytest.raises(ModelFileError, match="belong to the model 'mine'"):
        store.put("mine_fp16", {"mine_fp16.onnx": home / "made" / "b"})
    assert (home / "mine_fp16.onnx").read_text() == "a"


def test_what_a_killed_process_left_goes(home: Path) -> None:
    (home / ".work.mine.abc").mkdir(parents=True)
    (home / ".work.mine-too.abc").mkdir()
    with Store(home).locked("mine"), Store(home).workspace("mine") as work:
        assert {path.name for path in home.glob(".work*")} == {work.name, ".work.mine-too.abc"}


def test_a_table_that_is_broken_or_evil(home: Path) -> None:
    home.mkdir()
    (home / "victim").touch()
    for text in ("{", "[]", '{"version": 2, "models": {}}', '{"version": 1, "models": {"a": {"../x": ""}}}'):
        (home / "models.lock.json").write_text(text)
        with pytest.raises(ModelFileError, match="no table of pinned models"):
            zoo.check()
