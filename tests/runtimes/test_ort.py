"""What ONNX Runtime's providers change in how a model is run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from pose_onnx import Detector, KeypointModel
from pose_onnx.errors import EngineError
from pose_onnx.runtimes import fills_device, is_parallel, open_runtime, run_pixels

CPU = "CPUExecutionProvider"


def test_providers_take_options(tiny_pose: Path) -> None:
    providers = [(CPU, {"arena_extend_strategy": "kSameAsRequested"})]
    with KeypointModel(tiny_pose, threads=1, providers=providers) as model:
        assert len(model(np.zeros((50, 50, 3), np.uint8), [[0, 0, 40, 40]])) == 1


def test_a_cpu_is_shared_out(tiny_pose: Path) -> None:
    one, two = (open_runtime(tiny_pose, threads=count) for count in (1, 2))
    assert is_parallel(one)
    assert not fills_device(one)
    assert run_pixels(two) == 2 * run_pixels(one)


@pytest.mark.skipif(
    "AzureExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="no other provider to try with",
)
def test_another_processor_gets_large_batches_and_one_session(tiny_detector: Path, tiny_pose: Path) -> None:
    """Azure's hands everything to the CPU; what counts is that it is named."""
    providers: list[Any] = [("AzureExecutionProvider", {}), CPU]
    with (
        KeypointModel(tiny_pose, threads=3, providers=providers) as pose,
        Detector(tiny_detector, threads=3, providers=providers) as detector,
    ):
        assert fills_device(pose.runtime)
        assert pose.workers == 3
        assert pose.batch_size > 8 * KeypointModel(tiny_pose, threads=3).batch_size
        image = np.zeros((64, 64, 3), np.uint8)
        assert len(pose(image, [[0, 0, 40, 40]] * 20)) == 20
        before = detector.runtime
        detector.find_many([image])
        assert detector._single is before


@pytest.mark.parametrize(("threads", "sessions"), [(1, 1), (2, 2)])
def test_a_second_session_only_where_the_first_cannot_serve(
    tiny_detector: Path, threads: int, sessions: int
) -> None:
    with Detector(tiny_detector, threads=threads) as detector:
        detector.find_many([np.zeros((64, 64, 3), np.uint8)] * 2)
        assert len({id(detector.runtime), id(detector._single)}) == sessions


def test_an_operator_without_a_kernel_names_the_version_that_has_it(tmp_path: Path) -> None:
    """No ONNX Runtime has DeformConv in bfloat16 on a CPU; older ones say the same of float32."""
    shapes = {"x": (1, 2, 4, 4), "weight": (2, 2, 3, 3), "offset": (1, 18, 4, 4), "y": (1, 2, 4, 4)}
    *inputs, output = (
        helper.make_tensor_value_info(name, TensorProto.BFLOAT16, shape) for name, shape in shapes.items()
    )
    node = helper.make_node("DeformConv", [each.name for each in inputs], ["y"], pads=[1] * 4)
    graph = helper.make_graph([node], "deformable", inputs, [output])
    opsets = [helper.make_opsetid("", 22)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "deformable.onnx")
    with pytest.raises(EngineError, match=r"DeformConv.*install onnxruntime 1\.25 or newer"):
        open_runtime(tmp_path / "deformable.onnx", "ort", threads=1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are Unicode")
def test_a_file_name_that_is_no_unicode(tiny_pose: Path, tmp_path: Path) -> None:
    odd = Path(shutil.copy(tiny_pose, tmp_path / "model\udcff.onnx"))
    assert open_runtime(odd, "ort", threads=1).inputs == open_runtime(tiny_pose, "ort", threads=1).inputs
