"""examples/node finds the same people with onnxruntime-web as Python does with the same files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_onnx import load_image
from pose_onnx.core.arrays import Image
from tests.end_to_end.conftest import PHOTOS, Arrays, Files, run

BAR = 0.05
"""Image pixels, for boxes and joints with a score of 0.2 or more. Measured: 0.0002, from other kernels."""
OTHER_DECODER_BAR = 2.0
"""The same where JavaScript decoded the JPEG: some pixels differ by a few grey levels. Measured: 0.3."""
FULL_COLOR = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
SURE = 0.2


def node(folder: Path, script: str, *arguments: Path) -> Any:
    done = subprocess.run(
        ["node", script, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_python(files: Files, image: Image) -> tuple[Arrays, Arrays]:
    found = run(files.detector, image)
    return found, run(files.pose, image, boxes=found["boxes"])


def check(people: list[dict[str, Any]], found: Arrays, poses: Arrays, bar: float) -> None:
    assert len(people) == len(found["boxes"])
    for index, person in enumerate(people):
        joints: NDArray[np.float32] = np.array(person["keypoints"], np.float32)
        sure = poses["scores"][index] >= SURE
        np.testing.assert_allclose(person["box"], found["boxes"][index], atol=bar)
        np.testing.assert_allclose(person["score"], found["scores"][index], atol=bar / 10)
        np.testing.assert_allclose(joints[sure, :2], poses["keypoints"][index][sure], atol=bar)
        np.testing.assert_allclose(joints[:, 2], poses["scores"][index], atol=bar / 10)


def test_the_same_pixels_give_the_same_people(files: Files, node_folder: Path, tmp_path: Path) -> None:
    astronaut, camera = map(load_image, PHOTOS)
    both = np.concatenate([camera, astronaut], axis=1)
    nobody = camera[150:280, 350:]  # not one colour, in which detectors see somebody (docs/accuracy.md)
    images = [astronaut, camera, both, nobody]
    requests = []
    for index, image in enumerate(images):
        file = tmp_path / f"{index}.rgb"
        file.write_bytes(image[:, :, ::-1].tobytes())
        requests.append({"file": str(file), "width": image.shape[1], "height": image.shape[0]})
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    answers = node(node_folder, "poses_of_pixels.mjs", files.detector, files.pose, tmp_path / "requests.json")
    assert answers["parts"] == answers["whole"]
    assert [len(people) for people in answers["whole"]] == [1, 1, 2, 0]
    for image, people in zip(images, answers["whole"], strict=True):
        check(people, *in_python(files, image), BAR)


def test_the_example_runs_as_it_says(files: Files, node_folder: Path, tmp_path: Path) -> None:
    # Colours in full resolution: halved ones are enlarged differently in JavaScript, and a box moves by 2 px.
    photo = tmp_path / "photo.jpg"
    cv2.imwrite(str(photo), load_image(PHOTOS[0]), [cv2.IMWRITE_JPEG_QUALITY, 100, *FULL_COLOR])
    people = node(node_folder, "pose.mjs", files.detector, files.pose, photo)
    check(people, *in_python(files, load_image(photo)), OTHER_DECODER_BAR)
