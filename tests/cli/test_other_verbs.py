"""`models`, `info`, `verify`, `export`, and the command line as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

import pose_onnx
from pose_onnx import ModelCard, card_names, resolve_model
from pose_onnx.cards.card import CARD_KEY

if TYPE_CHECKING:
    from tests.cli.conftest import Models, Outcome

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_version(cli: Callable[..., Outcome]) -> None:
    done = cli("--version")
    assert (done.code, done.out) == (0, f"pose-onnx {pose_onnx.__version__}\n")


def test_no_command_is_a_usage_error(cli: Callable[..., Outcome]) -> None:
    assert cli().code == 2
    assert cli("dance").code == 2


@pytest.mark.parametrize("verb", ["run", "models", "info", "verify", "export", "web"])
def test_every_verb_has_help(cli: Callable[..., Outcome], verb: str) -> None:
    done = cli(verb, "--help")
    assert done.code == 0
    assert f"usage: pose-onnx {verb}" in done.out


def test_models_lists_every_card_and_what_is_here(
    cli: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSE_ONNX_HOME", str(tmp_path))
    (tmp_path / "tinypose_256x192.tflite").touch()
    done = cli("models")
    assert done.code == 0
    rows = {line.split()[0]: line for line in done.out.splitlines() if line}
    assert set(card_names()) < set(rows)
    assert "here: tflite" in rows["tinypose_256x192"]
    assert "256 x 192" in rows["tinypose_256x192"]
    assert "not here" in rows["picodet_s_320_lcnet_pedestrian"]
    assert str(tmp_path) in done.out


def test_info_of_a_file(cli: Callable[..., Outcome], models: Models) -> None:
    done = cli("info", models.pose)
    assert done.code == 0
    for expected in (
        "image (N, 3, 32, 24) float32",
        "heatmaps (N, 17, 8, 6) float32",
        hashlib.sha256(models.pose.read_bytes()).hexdigest(),
        "blobs",
        "left_shoulder",
    ):
        assert expected in done.out


def test_info_of_a_name(cli: Callable[..., Outcome]) -> None:
    done = cli("info", "tinypose_128x96")
    assert done.code == 0
    assert "tinypose_128x96.pdparams" in done.out


def test_info_of_what_has_no_card_or_is_no_model(
    cli: Callable[..., Outcome], models: Models, tmp_path: Path
) -> None:
    bare = cli("info", models.bare_pose)
    assert bare.code == 2
    assert "heatmaps (N, 17, 8, 6)" in bare.out
    assert "--model NAME" in bare.err
    assert cli("info", models.bare_pose, "--model", models.pose_card).code == 0
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "text.txt").write_text("not a model")
    for name, reason in (
        ("text.onnx", "not a .onnx model"),
        ("text.txt", "not a model file"),
        ("a", "not a model"),
    ):
        done = cli("info", tmp_path / name)
        assert (done.code, done.out) == (2, "")
        assert reason in done.err


@pytest.fixture
def tflite_pose(models: Models, tmp_path: Path) -> Path:
    from pose_onnx.exporters.tflite import convert  # noqa: PLC0415 (heavy)

    path = tmp_path / "pose.tflite"
    card = models.pose_card.read_bytes()
    path.write_bytes(convert(onnx.load(models.pose), metadata={CARD_KEY: card}))
    return path


BUILT_IN_POSE = "tinypose_128x96_distilled"


@pytest.fixture
def official_stand_in(tmp_path: Path) -> Path:
    """Write the built-in keypoint model with other weights: another model of the same card."""
    model = onnx.load(resolve_model(BUILT_IN_POSE))
    rng = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.ndim == 4:  # kernels
            noise = rng.normal(1, 0.2, array.shape).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array((array * noise).astype(array.dtype), tensor.name))
    onnx.save(model, tmp_path / "other_weights.onnx")
    return tmp_path / "other_weights.onnx"


def test_verify_of_equal_files(
    cli: Callable[..., Outcome], models: Models, tflite_pose: Path, photo: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("verify", models.pose, tflite_pose, models.bare_pose, "--model", models.pose_card)
    for picture in ([], ["--image", photo(tmp_path / "p.png")]):
        done = cli(*words, *picture)
        assert done.code == 0, done.err
        for stage in ("pre-processing", "raw tensors, noise", "raw tensors, picture", "decode", "end to end"):
            assert done.out.count(stage) >= 2


def test_verify_tells_two_models_apart_on_its_own_photos(
    cli: Callable[..., Outcome], official_stand_in: Path
) -> None:
    """With a random picture nothing was compared, and everything passed."""
    same = cli("verify", BUILT_IN_POSE, BUILT_IN_POSE, "--backend", "ort", "--backend", "tflite")
    assert (same.code, same.err) == (0, "")
    (line,) = [line for line in same.out.splitlines() if "end to end" in line and "keypoints" in line]
    assert int(line.split()[-2]) >= 17
    other = cli("verify", BUILT_IN_POSE, official_stand_in)
    assert other.code == 1
    assert "is above 0.5" in other.out


def test_verify_fails_when_nothing_was_compared(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    dark = photo(tmp_path / "dark.png", level=0)  # with nobody in it
    done = cli("verify", models.detector, models.detector, "--image", dark)
    assert done.code == 1
    assert "nothing was compared" in done.out
    both = cli(
        "verify", models.detector, models.detector, "--image", dark, "--image", photo(tmp_path / "b.png")
    )
    assert both.code == 0


def test_verify_of_one_file_on_two_engines(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    bright = photo(tmp_path / "bright.png")
    words = ("verify", models.detector, models.detector, "--image", bright)
    done = cli(*words, "--backend", "ort", "--backend", "openvino")
    assert done.code == 0, done.err
    assert done.out.count("openvino") >= 5
    one = cli("verify", models.detector, models.detector, "--backend", "openvino")
    assert one.code == 2
    assert "backends ['openvino'] were given for 2 files" in one.err


def test_verify_says_which_models_it_compares(cli: Callable[..., Outcome], models: Models) -> None:
    done = cli("verify", models.bare_pose, models.bare_pose, "--model", "stgcn_pphuman")
    assert done.code == 2
    assert "is a model for 'actions'; give files of models for one of ['keypoints', 'detect'" in done.err


def test_verify_of_a_detector(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    done = cli("verify", models.detector, models.detector, "--image", photo(tmp_path / "bright.png"))
    assert done.code == 0
    assert "boxes (image px)" in done.out


def test_verify_finds_other_weights(cli: Callable[..., Outcome], models: Models, tmp_path: Path) -> None:
    proto = onnx.load(models.pose)
    (weights,) = proto.graph.initializer
    weights.raw_data = weights.raw_data[::-1]  # other finite-or-not numbers of the same shape would do
    array = onnx.numpy_helper.to_array(onnx.load(models.pose).graph.initializer[0])
    weights.CopyFrom(onnx.numpy_helper.from_array(array[::-1].copy(), "w"))
    onnx.save(proto, tmp_path / "other.onnx")
    done = cli("verify", models.pose, tmp_path / "other.onnx")
    assert done.code == 1
    assert "other.onnx: end to end" in done.out


def test_verify_refuses_one_file_and_other_models(
    cli: Callable[..., Outcome], models: Models, tmp_path: Path
) -> None:
    assert "two or more" in cli("verify", models.pose).err
    assert "files of one model" in cli("verify", models.pose, models.detector).err
    card = ModelCard.from_json(models.pose_card.read_bytes())
    other = replace(card, input=replace(card.picture, size=(64, 48)))
    (tmp_path / "other.json").write_text(other.to_json())
    assert cli("verify", models.pose, models.pose, "--model", tmp_path / "other.json").code == 2


def test_verify_with_a_missing_photo(cli: Callable[..., Outcome], models: Models) -> None:
    done = cli("verify", models.pose, models.pose, "--image", "absent.jpg")
    assert done.code == 2
    assert "absent.jpg" in done.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--to", "onnx,coreml"], "['coreml']; choose from onnx,tflite"),
        (["--precision", "fp8"], "['fp8']; choose from fp32,fp16"),
        (["--card", "absent.json"], "absent.json"),
    ],
)
def test_export_refuses_unknown_words(cli: Callable[..., Outcome], words: list[str], reason: str) -> None:
    done = cli("export", "source.pdparams", *words)
    assert done.code == 2
    assert reason in done.err


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-m", "pose_onnx", "models"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (141, "")


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("words", "closed", "code", "reason"),
    [
        (["models"], ">&-", 0, ""),
        (["models", "--nonsense"], ">&- 2>&-", 2, ""),
        (["run", "-", "--out", "{tmp}/out"], "<&-", 2, "standard input is empty; pipe a picture"),
        (["run", "{tmp}/a.png", "{tmp}/b.png", "--out", "{tmp}/out"], "2>&-", 2, ""),
    ],
)
def test_closed_standard_streams(
    tmp_path: Path, words: list[str], closed: str, code: int, reason: str
) -> None:
    filled = [word.format(tmp=tmp_path) for word in words]
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "pose_onnx", *filled]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_starting_loads_no_engine_no_exporter_and_no_bar() -> None:
    code = (
        "import json, sys\nimport pose_onnx.cli\n"
        "try: pose_onnx.cli.main(['run', '--help'])\n"
        "except SystemExit: print(); print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    heavy = {"onnxruntime", "ai_edge_litert", "tflite_runtime", "onnx", "paddle", "paddle2onnx", "tqdm"}
    assert not loaded & (heavy | {"pose_onnx.exporters"})


def test_broken_opencv_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    (tmp_path / "p.jpg").write_bytes(b"BM" + bytes(30))  # OpenCV is asked for it
    done = subprocess.run(
        [sys.executable, "-m", "pose_onnx", "verify", "a.onnx", "b.onnx", "--image", "p.jpg"],
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "apt-get install libgl1" in done.stderr
