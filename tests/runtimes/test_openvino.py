"""What OpenVINO's adapter promises beyond the contract: the device that was asked for, and float32."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pose_onnx import InputError, ModelFileError, PoseEstimator
from pose_onnx.runtimes import open_runtime
from pose_onnx.runtimes.openvino import OpenVinoRuntime


@pytest.mark.parametrize("device", ["NPU.7", "AUTO", "HETERO:GPU,CPU", "Cpu", ""])  # "cpu" is the short name
def test_devices_are_strict(tiny_pose: Path, device: str) -> None:
    with pytest.raises(InputError, match=rf"device='{device}'.* \[.*'CPU'.*\] on this machine"):
        open_runtime(tiny_pose, "openvino", device=device)


def test_it_computes_in_float32_with_the_threads_that_were_given(tiny_pose: Path) -> None:
    """Without the hint a CPU that has bfloat16 uses it; other CPUs would not show it in the numbers."""
    runtime = open_runtime(tiny_pose, "openvino", threads=1, device="CPU")
    assert isinstance(runtime, OpenVinoRuntime)
    compiled = runtime._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_an_operator_that_it_does_not_know(tmp_path: Path) -> None:
    shape = ["N", 3, 8, 6]
    image, heatmaps = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "heatmaps")
    )
    node = helper.make_node("Blur", ["image"], ["heatmaps"], domain="nobody")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("nobody", 1)]
    model = helper.make_model(helper.make_graph([node], "g", [image], [heatmaps]), opset_imports=opsets)
    onnx.save(model, tmp_path / "blur.onnx")
    with pytest.raises(ModelFileError, match=r"blur\.onnx.*OpenVINO.*Blur"):
        open_runtime(tmp_path / "blur.onnx", "openvino")


def test_people_are_found_as_by_onnx_runtime(tiny_detector: Path, tiny_pose: Path) -> None:
    image = np.zeros((120, 90, 3), np.uint8)
    image[32:48, 16:32] = 255
    ort, openvino = (
        PoseEstimator(tiny_detector, tiny_pose, backend=backend, threads=1)(image)
        for backend in ("ort", "openvino")
    )
    assert len(ort) >= 1
    np.testing.assert_allclose(openvino.boxes, ort.boxes, atol=1e-3)
    np.testing.assert_allclose(openvino.keypoints, ort.keypoints, atol=1e-2)


@pytest.mark.skipif(sys.platform != "linux", reason="a signal has a stack of its own there only")
def test_ctrl_c_after_two_models_is_no_crash(tiny_pose: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pose_onnx.runtimes import open_runtime\n"
        f"first, second = (open_runtime({str(tiny_pose)!r}, 'openvino') for _ in range(2))\n"
        "first.close(); del first; second.close(); del second\n"
        "try: os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "interrupted\n"
