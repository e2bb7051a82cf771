from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import ExportError, InputError, ModelFileError
from pose_onnx.exporters.infer_cfg import read_infer_cfg
from pose_onnx.exporters.paddle_to_onnx import readable_program
from pose_onnx.exporters.source import Folder, digests, read_source

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
POSE = """arch: HRNet
metric: KeyPointTopDownCOCOEval
Preprocess:
- {trainsize: [96, 128], type: TopDownEvalAffine}
"""


def folder(path: Path, config: str | None = DETECTOR, program: str = "model.json") -> Path:
    path.mkdir(exist_ok=True)
    (path / program).write_text('{"base_code": {"magic": "pir", "version": 3}, "program": {}}')
    (path / program).with_suffix(".pdiparams").write_bytes(b"weights")
    if config is not None:
        (path / "infer_cfg.yml").write_text(config)
    return path


def test_a_folder_without_its_weights_is_an_error(tmp_path: Path) -> None:
    path = folder(tmp_path / "x")
    (path / "model.pdiparams").unlink()
    with pytest.raises(ModelFileError, match=r"'model\.json' but not its weights 'model\.pdiparams'"):
        read_source(path)


def test_folders_with_no_or_many_programs_and_missing_paths_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "other.json").write_text("{}")
    with pytest.raises(ModelFileError, match="contains 0 Paddle programs"):
        read_source(tmp_path / "empty")
    two = folder(folder(tmp_path / "two"), program="model2.pdmodel")
    with pytest.raises(ModelFileError, match=r"contains 2 .*model\.json.*model2\.pdmodel"):
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
    with pytest.raises(ModelFileError, match=rf"has SHA-256 \w+, but {digest} was given"):
        read_source(path, digest)


def test_a_digest_that_is_none_or_of_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        read_source(tmp_path, "abc")
    with pytest.raises(InputError, match="is not a file"):
        read_source(tmp_path, "0" * 64)
