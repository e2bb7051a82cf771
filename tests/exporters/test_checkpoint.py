from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_onnx import ModelFileError
from pose_onnx.budget import Budget
from pose_onnx.exporters.checkpoint import match_parameters, read_checkpoint
from pose_onnx.exporters.checkpoint.machine import Machine
from pose_onnx.exporters.checkpoint.numbers import BrokenError
from pose_onnx.exporters.checkpoint.reading import arrays_of

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def write(folder: Path, state: object, protocol: int = 4) -> Path:
    path = folder / "weights.pdparams"
    path.write_bytes(pickle.dumps(state, protocol))
    return path


def read(path: Path) -> dict[str, Any]:
    """Read without the child process, which takes a second."""
    return dict(arrays_of(path))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_reads_every_protocol(tmp_path: Path, protocol: int) -> None:
    state = OrderedDict(weight=WEIGHT, half=WEIGHT.astype(np.float16), counter=np.int64(3) * np.ones(1, int))
    found = read(write(tmp_path, state, protocol))
    np.testing.assert_array_equal(found["weight"], WEIGHT)
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}


def test_reads_pairs_of_name_and_array_and_skips_paddles_own_names(tmp_path: Path) -> None:
    state = {"weight": ("conv2d_0.w_0", WEIGHT), "StructuredToParameterName@@": {"weight": "conv2d_0.w_0"}}
    found = read(write(tmp_path, state))
    assert list(found) == ["weight"]


def test_joins_slices_of_big_parameters(tmp_path: Path) -> None:
    state = {
        "weight@@.0": WEIGHT.reshape(-1)[:4],
        "weight@@.1": WEIGHT.reshape(-1)[4:],
        "UnpackBigParamInfor@@": {"weight": {"OriginShape": (2, 3), "slices": ["weight@@.0", "weight@@.1"]}},
    }
    np.testing.assert_array_equal(read(write(tmp_path, state))["weight"], WEIGHT)


def test_slices_that_do_not_fit_are_one_error(tmp_path: Path) -> None:
    state = {"a": WEIGHT, "UnpackBigParamInfor@@": {"weight": {"OriginShape": (2, 2), "slices": ["a"]}}}
    with pytest.raises(ModelFileError, match="slices do not fit"):
        read(write(tmp_path, state))


class _Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call


def test_reads_a_bare_tensor_of_paddle(tmp_path: Path) -> None:
    state = {"weight": _Calls(eval, "data", {"data": WEIGHT})}
    np.testing.assert_array_equal(read(write(tmp_path, state))["weight"], WEIGHT)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "call",
    [
        lambda mark: _Calls(os.system, f"touch {mark}"),
        lambda mark: _Calls(eval, f"open({str(mark)!r}, 'w')"),
        lambda mark: _Calls(eval, f"open({str(mark)!r}, 'w')", {}),
        lambda mark: _Calls(exec, f"open({str(mark)!r}, 'w')"),
        lambda mark: _Calls(open, str(mark), "w"),
        lambda mark: _Calls(getattr, mark, "touch"),
        lambda mark: _Calls(np.save, str(mark), WEIGHT),
    ],
    ids=["system", "eval", "eval in scope", "exec", "open", "getattr", "numpy function"],
)
def test_a_malicious_pickle_is_an_error_and_runs_nothing(tmp_path: Path, call: Any, protocol: int) -> None:
    mark = tmp_path / "executed"
    path = write(tmp_path, {"weight": WEIGHT, "evil": call(mark)}, protocol)
    with pytest.raises(ModelFileError, match=r"weights\.pdparams"):
        read(path)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.pdparams"]


def test_the_error_names_what_a_malicious_pickle_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"asks to load (posix|nt)\.system, .*nothing was run"):
        read(write(tmp_path, _Calls(os.system, "true")))


def test_attributes_of_allowed_callables_cannot_be_set(tmp_path: Path) -> None:
    # GLOBAL _codecs.encode, then BUILD with a state: what would change a plain function's attributes.
    for state in (b"}X\x01\x00\x00\x00aI1\ns", b"N}X\x01\x00\x00\x00aI1\ns\x86"):
        (tmp_path / "w.pdparams").write_bytes(b"\x80\x02c_codecs\nencode\n" + state + b"b.")
        with pytest.raises(ModelFileError, match="damaged"):
            read(tmp_path / "w.pdparams")


@given(st.binary(max_size=200))
def test_random_bytes_are_one_kind_of_error(content: bytes) -> None:
    with suppress(BrokenError):
        Machine(content, Budget("file")).run()


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_damaged_byte_is_one_kind_of_error_or_other_values(place: int, change: int) -> None:
    content = bytearray(pickle.dumps({"weight": WEIGHT, "bias": ("b", WEIGHT[0])}, 2))
    content[place % len(content)] ^= change
    with suppress(BrokenError):
        Machine(bytes(content), Budget("file")).run()


def test_npz_is_read_without_pickles(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    np.savez(good, weight=WEIGHT)
    np.savez(bad, weight=np.array([_Calls(os.system, "true")], dtype=object))
    np.testing.assert_array_equal(read(good)["weight"], WEIGHT)
    with pytest.raises(ModelFileError, match="plain arrays"):
        read(bad)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pdparams", b"", "is empty"),
        ("a.pdparams", b"\x80\x02}q", "damaged"),
        ("a.npz", b"PK\x03\x04 cut", "broken"),
        ("a.pdiparams", b"x", r"\.pdparams"),
        ("a.pdparams", pickle.dumps([WEIGHT]), "holds a list"),
        ("a.pdparams", pickle.dumps({"model": {"weight": WEIGHT}}), "other than numeric arrays: model"),
    ],
)
def test_bad_files_are_one_clear_error(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=says):
        read_checkpoint(tmp_path / name)


def test_a_truncated_checkpoint_is_an_error_at_every_length(tmp_path: Path) -> None:
    whole = pickle.dumps({"weight": WEIGHT}, 2)
    for length in range(1, len(whole)):
        (tmp_path / "a.pdparams").write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            read(tmp_path / "a.pdparams")


def test_mismatches_are_listed_in_one_error() -> None:
    given_parameters = {"a": WEIGHT, "b": WEIGHT, "more": WEIGHT}
    expected = {"a": (2, 3), "b": (3, 2), **{f"gone{i:02}": (1,) for i in range(20)}}
    with pytest.raises(ModelFileError) as error:
        match_parameters(given_parameters, expected)
    message = str(error.value)
    assert "20 missing: gone00" in message
    assert "and 8 more" in message
    assert "1 unexpected: more" in message
    assert "b (2, 3) instead of (3, 2)" in message


def test_aliases_and_buffers_are_accepted() -> None:
    aliases = [(r"^cls(\d)\.", r"cls_list.\1.")]
    both = {"cls0.w": WEIGHT + 1, "cls_list.0.w": WEIGHT, "project": WEIGHT}
    matched = match_parameters(both, {"cls_list.0.w": (2, 3)}, aliases=aliases, buffers=["project"])
    np.testing.assert_array_equal(matched["cls_list.0.w"], WEIGHT)  # the proper name wins
    alone = match_parameters({"cls0.w": WEIGHT}, {"cls_list.0.w": (2, 3)}, aliases=aliases)
    assert list(alone) == ["cls_list.0.w"]


@pytest.mark.parametrize("name", ["protocol2", "protocol3", "protocol4", "pairs"])
def test_reads_what_paddle_saves(paddle_sources: Path, name: str) -> None:
    saved = read(paddle_sources / f"{name}.pdparams")
    with np.load(paddle_sources / "tinypose_128x96.npz") as expected:
        assert len(saved) == 4
        for key, value in saved.items():
            np.testing.assert_array_equal(value, expected[key])


def test_what_paddle_saves_of_nested_layers_is_a_clear_error(paddle_sources: Path) -> None:
    with pytest.raises(ModelFileError, match=r"other than numeric arrays: layer"):
        read(paddle_sources / "nested.pdparams")
