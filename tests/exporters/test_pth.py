from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import ModelFileError
from pose_onnx.budget import MEMORY
from pose_onnx.exporters.checkpoint import read_checkpoint
from pose_onnx.exporters.checkpoint.reading import arrays_of
from tests.exporters import torch_files
from tests.exporters.torch_files import View, tensor, write_stream, write_zip

WEIGHT = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
WRITERS = pytest.mark.parametrize("write", [write_zip, write_stream], ids=["zip", "stream"])


def read(path: Path) -> dict[str, Any]:
    return dict(arrays_of(path))


@pytest.mark.parametrize(
    "name", ["centernet_checkpoint_sample.pth", "centernet_checkpoint_sample_legacy.pth"]
)
def test_reads_what_pytorch_wrote(shared: Path, name: str) -> None:
    with np.load(shared / "golden" / "centernet_decode.npz") as golden:
        expected = {key.removeprefix("ckpt/"): golden[key] for key in golden.files if key.startswith("ckpt/")}
    found = read_checkpoint(shared / "golden" / name)
    assert found.keys() == {key.removeprefix("module.") for key in expected}
    for key, value in expected.items():
        own = found[key.removeprefix("module.")]
        assert own.shape == value.shape
        assert own.dtype == np.float32
        np.testing.assert_array_equal(own, value)


@WRITERS
def test_reads_views_strides_shared_storages_and_numbers(tmp_path: Path, write: Any) -> None:
    row = np.arange(100, dtype=np.float32)
    last = np.ascontiguousarray(WEIGHT.transpose(1, 2, 0))
    state = OrderedDict(
        plain=tensor(WEIGHT),
        view=View(row, (3, 2), (2, 1), 40),
        same=View(row, (5,), (1,), 0),
        spread=View(row, (4, 3), (0, 7), 1),
        channels_last=View(last.reshape(-1), (2, 3, 4), (1, 8, 2)),
        count=View(np.array([7], np.int64), (), ()),
        half=tensor(WEIGHT.astype(np.float16)),
        empty=View(row, (0, 3), (3, 1)),
    )
    found = read(write(tmp_path / "a.pth", state))
    np.testing.assert_array_equal(found["plain"], WEIGHT)
    np.testing.assert_array_equal(found["view"], row[40:46].reshape(3, 2))
    np.testing.assert_array_equal(found["same"], row[:5])
    np.testing.assert_array_equal(found["spread"], np.tile([1.0, 8.0, 15.0], (4, 1)))
    np.testing.assert_array_equal(found["channels_last"], WEIGHT)
    np.testing.assert_array_equal(found["half"], WEIGHT)
    assert found["count"].shape == ()
    assert found["count"] == 7
    assert found["empty"].shape == (0, 3)


@WRITERS
def test_takes_the_state_of_a_training_checkpoint(tmp_path: Path, write: Any) -> None:
    moments = {"state": {0: {"step": 1, "exp_avg": tensor(WEIGHT)}}, "param_groups": [{"lr": 1e-4}]}
    state = {"module.a": tensor(WEIGHT), "b": tensor(WEIGHT[0])}
    found = read(write(tmp_path / "a.pt", {"epoch": 3, "state_dict": state, "optimizer": moments}))
    assert [*found] == ["a", "b"]


def test_reads_big_endian_archives(tmp_path: Path) -> None:
    found = read(write_zip(tmp_path / "a.pth", {"a": tensor(WEIGHT)}, "big"))
    np.testing.assert_array_equal(found["a"], WEIGHT)


def test_attributes_of_a_state_dict_are_left_out(tmp_path: Path) -> None:
    state: Any = OrderedDict(a=tensor(WEIGHT))
    state._metadata = {"": {"version": 1}}
    assert [*read(write_zip(tmp_path / "a.pth", state))] == ["a"]


@WRITERS
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1], "holds a list, not a dict of tensors"),
        ({"state_dict": [1]}, "holds a list, not a dict of tensors"),
        ({"a": 1}, "other than numeric arrays: a"),
        ({"module.a": tensor(WEIGHT), "a": tensor(WEIGHT)}, "holds 'a' twice"),
        ({"a": View(WEIGHT.reshape(-1), (25,), (1,))}, "beyond the end of its 96 bytes"),
        ({"a": View(WEIGHT.reshape(-1), (2,), (1,), 23)}, "beyond the end"),
        ({"a": View(WEIGHT.reshape(-1), (2, 2), (1,))}, r"shape \(2, 2\) with strides \(1,\)"),
        ({"a": View(WEIGHT.reshape(-1), (2,), (-1,), 1)}, "not a tuple of sizes"),
        ({"a": View(WEIGHT.reshape(-1), (2,), (1,), -1)}, "not a tuple of sizes"),
        ({"a": View(WEIGHT.reshape(-1), (1 << 30, 1 << 30), (0, 0))}, "shape"),
        ({"a": View(WEIGHT.reshape(-1), (1 << 28, 2), (0, 0))}, f"asks for more than {MEMORY:,} bytes"),
        ({"a": print}, "asks to load .*print"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_one_error(tmp_path: Path, write: Any, content: object, says: str) -> None:
    path = write(tmp_path / "a.pth", content)
    with pytest.raises(ModelFileError, match=says):
        list_of_names(path)


def list_of_names(path: Path) -> list[str]:
    return [name for name, _ in arrays_of(path)]


@WRITERS
def test_a_damaged_file_is_an_error_or_other_values(tmp_path: Path, write: Any) -> None:
    whole = write(tmp_path / "whole.pth", {"a": tensor(WEIGHT[0])}).read_bytes()
    path = tmp_path / "a.pth"
    for length in range(1, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"a\.pth"):
            read(path)


def test_a_storage_of_another_size_is_an_error(tmp_path: Path) -> None:
    whole = write_stream(tmp_path / "a.pth", {"a": tensor(WEIGHT)}).read_bytes()
    start = whole.rindex((24).to_bytes(8, "little"))
    (tmp_path / "a.pth").write_bytes(whole[:start] + (25).to_bytes(8, "little") + whole[start + 8 :])
    with pytest.raises(ModelFileError, match="of the wrong size"):
        read(tmp_path / "a.pth")


def test_a_file_of_a_big_endian_machine_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="an unknown version or machine"):
        read(write_stream(tmp_path / "a.pth", {"a": tensor(WEIGHT)}, little_endian=False))


def test_an_archive_without_its_storage_is_an_error(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "whole.pth", {"a": tensor(WEIGHT)})
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(tmp_path / "a.pth", "w") as target:
        target.writestr("archive/data.pkl", source.read("archive/data.pkl"))
    with pytest.raises(ModelFileError, match="without a required member"):
        read(tmp_path / "a.pth")


def test_a_pickle_without_pytorchs_mark_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(pickle.dumps({"a": 1}, 2))
    with pytest.raises(ModelFileError, match="does not begin like PyTorch's files"):
        read(tmp_path / "a.pth")


def test_the_writer_of_these_tests_writes_what_pytorch_wrote(shared: Path) -> None:
    sample = (shared / "golden" / "centernet_checkpoint_sample_legacy.pth").read_bytes()
    assert sample.startswith(pickle.dumps(torch_files.MARK, 2) + pickle.dumps(torch_files.VERSION, 2))
