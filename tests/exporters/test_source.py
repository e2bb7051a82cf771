from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import ExportError, InputError, ModelFileError, UnknownNameError, load_card
from pose_onnx.exporters.infer_cfg import read_infer_cfg
from pose_onnx.exporters.paddle_to_onnx import readable_program
from pose_onnx.exporters.source import Folder, digests, read_source, resolve_card

DETECTOR = """arch: GFL
Preprocess:
- {interp: 2, keep_ratio: false, target_size: [320, 320], type: Resize}
- is_scale: true
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]
  type: NormalizeImage
label_list:
- person
"""
POSE = "arch: HRNet\nPreprocess:\n- {trainsize: [96, 128], type: TopDownEvalAffine}\n"


def folder(path: Path, config: str | None = DETECTOR, program: str = "model.json") -> Path:
    path.mkdir(exist_ok=True)
    (path / program).write_text('{"base_code": {"magic": "pir", "version": 3}, "program": {}}')
    (path / program).with_suffix(".pdiparams").write_bytes(b"weights")
    if config is not None:
        (path / "infer_cfg.yml").write_text(config)
    return path


@pytest.mark.parametrize(
    ("config", "name"), [(DETECTOR, "picodet_s_320_lcnet_pedestrian"), (POSE, "tinypose_128x96")]
)
def test_the_model_is_found_from_its_config(tmp_path: Path, config: str, name: str) -> None:
    assert resolve_card(read_source(folder(tmp_path / "x", config)), None, None).name == name


def test_a_config_that_fits_several_models_asks_which(tmp_path: Path) -> None:
    many = DETECTOR + "- dog\n"  # two labels or more may stand beside a model of one class
    with pytest.raises(InputError, match=r"candidates: \[.*picodet_s_320_lcnet_pedestrian.*--model NAME"):
        resolve_card(read_source(folder(tmp_path / "x", many)), None, None)


def test_normalisation_comes_from_the_config(tmp_path: Path) -> None:
    plain = resolve_card(read_source(folder(tmp_path / "a")), None, None)
    assert plain.picture.mean == (0.485, 0.456, 0.406)
    # Without it the graph normalises by itself, and wants 0 to 255.
    fused = resolve_card(read_source(folder(tmp_path / "b", POSE)), None, None)
    assert fused.picture.mean == (0.0, 0.0, 0.0)
    assert fused.picture.std == (1 / 255,) * 3
    unscaled = DETECTOR.replace("is_scale: true", "is_scale: false").replace(
        "0.229, 0.224, 0.225", "51, 51, 51"
    )
    card = resolve_card(read_source(folder(tmp_path / "c", unscaled)), None, None)
    np.testing.assert_allclose(card.picture.std, 0.2)
    none = DETECTOR.replace("is_scale: true", "norm_type: none")
    assert resolve_card(read_source(folder(tmp_path / "d", none)), None, None).picture.std == (1.0, 1.0, 1.0)


def test_a_given_name_or_card_decides(tmp_path: Path) -> None:
    source = read_source(folder(tmp_path / "x", None))
    assert resolve_card(source, "tinypose_256x192", None).name == "tinypose_256x192"
    card = tmp_path / "mine.json"
    card.write_text(load_card("tinypose_128x96").to_json().replace('"tinypose_128x96"', '"mine"', 1))
    assert resolve_card(source, None, card).name == "mine"
    with pytest.raises(UnknownNameError, match="'tinypoes'"):
        resolve_card(source, "tinypoes", None)


def test_the_name_of_a_file_or_folder_counts(tmp_path: Path) -> None:
    np.savez(tmp_path / "tinypose_256x192.npz", w=np.zeros(1))
    source = read_source(tmp_path / "tinypose_256x192.npz")
    assert resolve_card(source, None, None).name == "tinypose_256x192"
    named = read_source(folder(tmp_path / "picodet_s_192_lcnet_pedestrian", None))
    assert resolve_card(named, None, None).name == "picodet_s_192_lcnet_pedestrian"


def test_a_model_that_cannot_be_told_is_an_error_that_lists_the_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", w=np.zeros(1))
    for source in (
        tmp_path / "mine.npz",
        folder(tmp_path / "x", None),
        folder(tmp_path / "y", "arch: Other\n"),
    ):
        with pytest.raises(InputError, match=r"--model NAME, one of \[.*tinypose_128x96"):
            resolve_card(read_source(source), None, None)


def test_a_folder_without_its_weights_is_an_error(tmp_path: Path) -> None:
    path = folder(tmp_path / "x")
    (path / "model.pdiparams").unlink()
    with pytest.raises(ModelFileError, match=r"'model\.json' but not its weights 'model\.pdiparams'"):
        read_source(path)


def test_folders_with_no_or_many_programs_and_missing_paths_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "other.json").write_text("{}")
    with pytest.raises(ModelFileError, match="holds 0 Paddle programs"):
        read_source(tmp_path / "empty")
    two = folder(folder(tmp_path / "two"), program="model2.pdmodel")
    with pytest.raises(ModelFileError, match=r"holds 2 .*model\.json.*model2\.pdmodel"):
        read_source(two)
    with pytest.raises(ModelFileError, match="does not exist"):
        read_source(tmp_path / "nowhere")


def test_the_older_program_is_found(tmp_path: Path) -> None:
    source = read_source(folder(tmp_path / "x", program="inference.pdmodel"))
    assert isinstance(source, Folder)
    assert [file.name for file in source.files] == ["inference.pdmodel", "inference.pdiparams"]
    assert digests(source.files)["inference.pdiparams"] == hashlib.sha256(b"weights").hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "arch: [",
        "- a\n- b",
        "arch: GFL\nPreprocess:\n- {type: Resize, target_size: 320}\n",
        "arch: GFL\nPreprocess:\n- {interp: 2}\n",
        "!!python/object/apply:os.system ['touch executed']",
    ],
)
def test_a_wrong_config_is_one_error_and_runs_nothing(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "infer_cfg.yml").write_text(text)
    with pytest.raises(ModelFileError, match=r"infer_cfg\.yml"):
        read_infer_cfg(tmp_path)
    assert os.listdir(tmp_path) == ["infer_cfg.yml"]  # noqa: PTH208


PROGRAM_3_3 = (
    '{"base_code": {"magic": "pir", "version": 4}, "program": {"regions": [{"#": "1.nearest_interp", "A": ['
    '{"AT": {"#": "0.a_array", "D": [{"#": "0.a_f64", "D": 2.0}]}, "N": "scale"}, '
    '{"AT": {"#": "0.a_f64", "D": 1.0}, "N": "other"}]}, {"#": "1.full", "A": ['
    '{"AT": {"#": "0.a_f64", "D": 3.0}, "N": "value"}]}]}}'
)


def test_resize_scales_of_paddle_3_3_become_float32() -> None:
    expected = PROGRAM_3_3.replace('"version": 4', '"version": 3').replace(
        '{"#": "0.a_f64", "D": 2.0}', '{"#": "0.a_f32", "D": 2.0}'
    )
    assert readable_program(PROGRAM_3_3) == expected
    assert readable_program(expected) == expected


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"base_code": {"version": 4}}'])
def test_a_broken_program_is_a_clear_error(text: str) -> None:
    with pytest.raises(ExportError, match="program is broken"):
        readable_program(text)


def test_a_given_digest_is_demanded_before_a_checkpoint_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, weight=np.ones(3, np.float32))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_source(path, digest.upper()).trust.startswith("given")
    assert read_source(path).trust.startswith("first use")
    path.write_bytes(b"not even an archive")
    with pytest.raises(ModelFileError, match=rf"has SHA-256 \w+, but {digest} was asked for"):
        read_source(path, digest)


def test_a_digest_that_is_none_or_of_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        read_source(tmp_path, "abc")
    with pytest.raises(InputError, match="is not a file"):
        read_source(tmp_path, "0" * 64)
