"""An official name becomes files: from a server that stands in for the official one, by a real conversion."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from pose_onnx import (
    ActionModel,
    CardError,
    DependencyError,
    DownloadError,
    InputError,
    KeypointModel,
    ModelFileError,
    PoseOnnxError,
    UnknownNameError,
    load_card,
    zoo,
)
from pose_onnx.cli import main
from pose_onnx.exporters import _tools
from pose_onnx.files import sha256_of
from pose_onnx.zoo import Policy
from pose_onnx.zoo._store import Store
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
    said = ""
    for process in running:
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
        assert printed.splitlines() == [str(home / name) for name in FILES[:2]]
        said += errors
    assert said.count(f"trusted from now on: {sha256_of(checkpoint)}") == 1
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
    table = json.loads((pulled / "models.lock.json").read_text())
    pins = table["models"]
    assert pins == {MODEL: {name: sha256_of(pulled / name) for name in pins[MODEL]}}
    assert pins[MODEL].keys() == {*FILES}
    assert table["trusted"] == {MODEL: pins[MODEL][FILES[-1]]}


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
    with pytest.raises(ModelFileError, match="so the file was changed"):
        zoo.pull(MODEL)
    assert {item.path for item in zoo.check() if item.state == "changed"} == {changed}


def test_a_changed_download_is_not_converted(at_pulled: Path) -> None:
    (at_pulled / f"{MODEL}.onnx").unlink()
    (at_pulled / f"downloads/{MODEL}.pdparams").write_bytes(b"changed")
    with pytest.raises(ModelFileError, match="so the file was changed"):
        zoo.pull(MODEL)
    states = {item.path.name: item.state for item in zoo.check()}
    assert states[f"{MODEL}.onnx"] == "missing"
    assert states[f"{MODEL}.pdparams"] == "changed"


@pytest.fixture
def at_server(at_pulled: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make that copy the models' folder, with the test's server in place of the official one."""
    monkeypatch.undo()
    monkeypatch.setenv("POSE_ONNX_HOME", str(at_pulled))
    monkeypatch.setattr("pose_onnx.zoo._pull.addresses", lambda url: (web.url + urlsplit(url).path,))
    return at_pulled


def hint(error: pytest.ExceptionInfo[Exception]) -> list[list[str]]:
    """Return the commands that an error says to run, as words."""
    (commands,) = re.findall(r"run (.*?pose-onnx models .*? [0-9a-f]{64})", str(error.value))
    return [command.split() for command in commands.split(" and then ")]


def test_another_file_is_refused_until_its_digest_is_given(
    at_server: Path, web: Web, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = pickle.loads(checkpoint.read_bytes())
    state["final_conv.bias"] = state["final_conv.bias"] + 1
    web.serve(REMOTE, whole(pickle.dumps(state, protocol=4)))
    zoo.remove(MODEL)
    with pytest.raises(DownloadError, match="but the first download had") as error:
        zoo.pull(MODEL, policy=QUICK)
    assert not (at_server / FILES[0]).exists()
    (command,) = hint(error)
    assert main(command[1:]) == 0
    printed = capfd.readouterr()
    assert printed.out.splitlines() == [str(at_server / name) for name in FILES[:2]]
    assert "trusted from now on" not in printed.err  # somebody gave it
    assert Store(at_server).trusted(MODEL) == command[-1] == sha256_of(at_server / FILES[3])
    assert zoo.pull(MODEL, sha256=command[-1].upper()) == tuple(at_server / name for name in FILES[:2])


def test_a_hint_removes_what_is_in_the_way(at_server: Path, web: Web) -> None:
    for name in (FILES[0], FILES[3]):
        (at_server / name).unlink()
    web.serve(REMOTE, whole(pickle.dumps({})))
    with pytest.raises(DownloadError, match="SHA-256") as error:
        zoo.pull(MODEL, policy=QUICK)
    assert hint(error) == [
        ["pose-onnx", "models", "remove", MODEL],
        ["pose-onnx", "models", "pull", MODEL, "--sha256", hashlib.sha256(pickle.dumps({})).hexdigest()],
    ]


def test_a_model_made_of_another_download_than_is_meant(at_pulled: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=f"run pose-onnx models remove {MODEL} first"):
        zoo.pull(MODEL, sha256="0" * 64)
    (tmp_path / "other").symlink_to(at_pulled)
    with pytest.raises(ModelFileError, match=f"run POSE_ONNX_HOME=.*other pose-onnx models remove {MODEL}"):
        zoo.pull(MODEL, dest=tmp_path / "other", sha256="0" * 64)


@pytest.mark.parametrize("sha256", ["x", "0" * 63, "0" * 65, "0" * 63 + "\u0660", "0" * 64 + "\n"])
def test_digests_that_are_none(home: Path, sha256: str) -> None:
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        zoo.pull(MODEL, sha256=sha256)
    assert not home.exists()


def test_a_dry_run_says_what_a_pull_would_do(
    at_pulled: Path, web: Web, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSE_ONNX_HOME", str(at_pulled))  # which `web` has unset
    other = "tinypose_256x192"
    assert main(["models", "pull", "--dry-run", MODEL, f"{MODEL}_distilled", other]) == 0
    here, built_in, missing = capsys.readouterr().out.splitlines()
    assert here == f"{MODEL}: already here: {at_pulled / FILES[0]}, {at_pulled / FILES[1]}"
    assert built_in.startswith(f"{MODEL}_distilled: already here: ")
    assert missing.startswith(f"{other}: fetch {load_card(other).download} (no SHA-256 is known")
    zoo.remove(MODEL)
    assert zoo.plan(MODEL).sha256 == Store(at_pulled).trusted(MODEL) != ""
    assert zoo.plan(other, sha256="A" * 64).sha256 == "a" * 64
    assert web.requests == []


def test_what_is_bundled_is_said_not_to_be_stored(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, dest = f"{MODEL}_distilled", tmp_path / "dest"
    assert main(["models", "pull", name, "--dest", str(dest)]) == 0
    printed = capsys.readouterr().out
    assert f"Not in {dest}, because it is bundled with pose-onnx: {name}\n" in printed
    assert "POSE_ONNX_HOME" not in printed
    for work in (zoo.pull, zoo.plan):
        with pytest.raises(InputError, match="bundled in fp32 only; leave the precision out"):
            work(name, precision=("fp32", "fp16"))
    assert not home.exists()
    assert not dest.exists()


def test_digests_that_are_in_vain(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="not downloaded"):
        zoo.pull(f"{MODEL}_distilled", sha256="0" * 64)
    assert main(["models", "pull", MODEL, "tinypose_256x192", "--sha256", "0" * 64]) == 2
    assert "2 names and 1 digest were given" in capsys.readouterr().err
    assert not home.exists()


def test_a_download_that_was_left_is_only_used_if_it_is_the_one(home: Path, web: Web) -> None:
    own_card(home, "fine", web.serve("/model.pdparams", status(404)), sha256="0" * 64)
    (home / "downloads").mkdir()
    (home / "downloads" / "fine.pdparams").write_bytes(b"another")
    with pytest.raises(DownloadError, match="404"):
        zoo.pull("fine", policy=QUICK)


def test_remove_deletes_the_model_and_nothing_else(at_pulled: Path) -> None:
    others = [at_pulled / "notes.txt", at_pulled / "tinypose_256x192.onnx", at_pulled / "downloads" / "x.zip"]
    for other in others:
        other.touch()
    assert {*zoo.remove(MODEL)} == {at_pulled / name for name in FILES}
    assert zoo.where(MODEL) == ()
    assert all(other.is_file() for other in others)
    with pytest.raises(UnknownNameError, match="none of its files was pulled"):
        zoo.remove(MODEL)


def own_card(home: Path, name: str, download: str, sha256: str = "") -> None:
    """Give a name an address on the test's server."""
    card = replace(load_card(MODEL), name=name, download=download, sha256=sha256)
    home.mkdir(exist_ok=True)
    (home / f"{name}.json").write_text(card.to_json())


def test_a_name_after_a_hash_says_what_an_address_without_one_gives(home: Path, web: Web) -> None:
    """As that of a file on Google Drive; the name is for us, and nobody else sees it."""
    drive = zoo.plan("multi_pose_dla_3x")
    assert drive.urls[0].endswith("&confirm=t")
    own_card(home, "named", web.serve("/download", whole(b"no archive")) + "#named.npz")
    with pytest.raises(PoseOnnxError, match=r"named\.npz"):
        zoo.pull("named", policy=QUICK)


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


def test_the_archive_of_an_action_model(
    home: Path, web: Web, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder as PaddleVideo saves it, packed as people pack such a folder on a Mac."""
    pytest.importorskip("paddle", reason="extra 'export', Python 3.10 to 3.12", exc_type=ImportError)
    with tarfile.open(shared / "golden" / "stgcn.tar.xz") as archive:
        opened = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        folder = {name.replace("/", "__"): file.read() for name, file in opened.items() if file}
    added = {name.replace("__", "__._"): b"of a Mac" for name in folder}
    monkeypatch.setenv("POSE_ONNX_MIRROR", web.url)
    web.serve(urlsplit(load_card("stgcn_pphuman").download).path, whole(zipped(**folder, **added)))
    files_here = zoo.pull("stgcn_pphuman", policy=QUICK)
    assert files_here == tuple(home / f"stgcn_pphuman{suffix}" for suffix in (".onnx", ".tflite"))
    with np.load(shared / "golden" / "stgcn.npz") as golden, ActionModel("stgcn_pphuman") as model:
        found = model.runtime.run({"window": golden["input"].astype(np.float32)})["logits"]
        np.testing.assert_allclose(found, golden["logits"], atol=2e-4 * abs(golden["logits"]).max())


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [
        (b"<html>not found</html>", DownloadError, "damaged, or not a .pdparams"),
        (pickle.dumps(print), DownloadError, "nothing was run"),
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
    with pytest.raises(DownloadError, match=r"its card says 0{64}; .* --sha256 [0-9a-f]{64}\)"):
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


def test_a_precision_that_a_network_cannot_have_fetches_nothing(home: Path, web: Web) -> None:
    with pytest.raises(InputError, match="two-stage detector"):
        zoo.pull("faster_rcnn_enhance_3x_coco", precision=("fp16",))
    assert web.requests == []
    assert not home.exists()


@pytest.mark.parametrize("precision", [(), ("fp32", "fp99")])
def test_precisions_that_are_not(home: Path, web: Web, precision: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="choose from"):
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
    for text in (
        "{",
        "[]",
        "[" * 100_000,
        '{"version": 2, "models": {}}',
        '{"version": 1, "models": {"a": {"../x": ""}}}',
        '{"version": 1, "models": {"a": {"x": 1}}}',
        '{"version": 1, "models": {}, "trusted": {"a": []}}',
    ):
        (home / "models.lock.json").write_text(text)
        with pytest.raises(ModelFileError, match="not a table of pinned models"):
            zoo.check()
