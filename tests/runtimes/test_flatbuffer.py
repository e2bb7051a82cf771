"""A cut TFLite file is noticed before an interpreter sees it, whatever else it is."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pose_onnx.exporters.tflite import convert
from pose_onnx.runtimes._flatbuffer import check_whole


def tflite_file() -> bytes:
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["c"]),
            helper.make_node("Reshape", ["c", "shape"], ["boxes"]),
        ],
        "little",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 4, 16])],
        [
            numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w"),
            numpy_helper.from_array(np.array([0, 4, 16]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return convert(model, metadata={"card": b"the metadata of the file"})


WHOLE = tflite_file()


def test_a_whole_file_passes_and_bytes_behind_it_are_no_matter() -> None:
    check_whole(WHOLE)
    check_whole(WHOLE + b"behind")


def test_every_cut_is_noticed() -> None:
    # Up to 16 bytes at the end are padding that nothing points to.
    for size in range(0, len(WHOLE) - 16, 3):
        with pytest.raises(ValueError, match="ends too early"):
            check_whole(WHOLE[:size])


@given(place=st.integers(0, len(WHOLE) - 4), number=st.integers(0, 2**32 - 1))
def test_a_wrong_offset_raises_nothing_else(place: int, number: int) -> None:
    with contextlib.suppress(ValueError):
        check_whole(WHOLE[:place] + number.to_bytes(4, "little") + WHOLE[place + 4 :])
