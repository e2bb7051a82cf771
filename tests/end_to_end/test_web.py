"""examples/web in headless Chromium, served by `pose-onnx web`: Python's numbers, and clear messages."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import pytest

from pose_onnx import PoseEstimator, Poses, load_image, read_card
from pose_onnx.drawing import painter, palette, poses
from pose_onnx.exporters.end_to_end import assemble
from pose_onnx.formats._people import people_from_json
from pose_onnx.formats.results import read_results
from pose_onnx.image_files import write_image
from tests.end_to_end.conftest import EXAMPLES, PHOTOS, Files, run

BAR = 0.05
"""Image pixels, joints with a score of 0.2 or more. Measured: 6e-5, from four decimals."""
SCORE_BAR = 1e-3
SURE = 0.2
NO_CARD = "This browser offers no graphics card for WebGPU."
FRAMES, RATE = 12, 4
"""Of the little video. Slow, so that a busy machine analyses several frames of it."""


@pytest.fixture(scope="module")
def url(node_folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "pose_onnx", "web", "--port", "0", "--runtime", str(node_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        yield line.split()[0]
        server.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def report(url: str, files: Files, node_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what drive_page.mjs saw."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian's package `chromium`)")
    folder = tmp_path_factory.mktemp("web")
    request = folder / "request.json"
    request.write_text(json.dumps(requested(folder, files)))
    command = ["node", "drive_page.mjs", chromium, url, str(request)]
    done = subprocess.run(command, cwd=node_folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def requested(folder: Path, files: Files) -> dict[str, Any]:
    astronaut, camera = map(load_image, PHOTOS)
    both, video, model = folder / "both.png", folder / "walk.webm", folder / "other.onnx"
    write_image(both, np.concatenate([astronaut, camera], axis=1))
    write_video(video, astronaut)
    card = replace(read_card(files.pose_network), name="another_name")
    onnx.save(assemble(onnx.load(files.pose_network), card), model)
    broken = []
    for name, control in (("text.png", "#file"), ("text.webm", "#file"), ("text.onnx", "#model-file")):
        (folder / name).write_text("neither a picture nor a video nor a model")
        broken.append({"control": control, "file": str(folder / name)})
    broken.append({"control": "#model-file", "file": str(files.pose_network)})
    return {"pictures": [str(both)], "video": str(video), "model": str(model), "broken": broken}


def write_video(path: Path, image: Any) -> None:
    """Write a video in which a photo moves to the right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for index in range(FRAMES):
            pixels = np.roll(image[::2, ::2], index, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode())


def found(document: Any, index: int = 0) -> Poses:
    image = document["images"][index]
    return people_from_json(image["people"], image["keypoint_names"])


def check_joints(people: Poses, keypoints: Any, scores: Any) -> None:
    assert people.scores.shape == scores.shape
    sure = scores >= SURE
    assert sure.any()
    np.testing.assert_allclose(people.keypoints[sure], keypoints[sure], atol=BAR)
    np.testing.assert_allclose(people.scores, scores, atol=SCORE_BAR)


def test_the_demo_photo_gives_the_joints_of_python(report: Any, files: Files) -> None:
    people = found(report["demo"])
    photo = load_image(PHOTOS[0])
    expected = run(files.pose, photo, boxes=run(files.detector, photo)["boxes"])
    check_joints(people, expected["keypoints"], expected["scores"])
    with PoseEstimator() as estimator:
        core = estimator(photo)
    check_joints(people, core.keypoints, core.scores)


def test_it_begins_with_webgpu_on_graphics_cards_only(report: Any) -> None:
    assert report["best"] == ["WebGPU", "WebAssembly", "WebAssembly"]
    assert report["begin"]["name"] == "WebAssembly"
    assert report["begin"]["note"].startswith(("This browser's WebGPU runs on the processor", NO_CARD))
    assert report["demo"]["settings"]["backend"].endswith(", WebAssembly")


def test_webgpu_gives_the_joints_of_python(report: Any, files: Files) -> None:
    document = report["webgpu"]["chosen"]
    if document["message"].endswith(NO_CARD):
        pytest.skip("this build of Chromium has no software adapter for WebGPU")
    assert (document["name"], document["note"]) == ("WebGPU", "")
    assert document["settings"]["backend"].endswith(", WebGPU")
    photo = load_image(PHOTOS[0])
    expected = run(files.pose, photo, boxes=run(files.detector, photo)["boxes"])
    check_joints(found(document), expected["keypoints"], expected["scores"])


def test_webassembly_takes_over_where_webgpu_fails(report: Any) -> None:
    broken, none = report["webgpu"]["broken"], report["webgpu"]["none"]
    assert (broken["name"], none["name"]) == ("WebAssembly", "WebAssembly")
    assert none["message"] == f"WebGPU cannot be used, so WebAssembly stays: {NO_CARD}"
    assert found(broken).scores.tolist() == found(report["demo"]).scores.tolist()
    if report["webgpu"]["chosen"]["name"] == "WebGPU":
        assert broken["note"].startswith("WebGPU failed; reload the page to try it again.")


def test_a_picture_of_two_people(report: Any, files: Files) -> None:
    (document,) = report["pictures"]
    image = np.concatenate([load_image(photo) for photo in PHOTOS], axis=1)
    expected = run(files.pose, image, boxes=run(files.detector, image)["boxes"])
    check_joints(found(document), expected["keypoints"], expected["scores"])
    assert document["images"][0]["path"] == "both.png"


def test_the_json_is_that_of_pose_onnx_run(report: Any, tmp_path: Path) -> None:
    document = report["demo"]
    (tmp_path / "poses.json").write_text(json.dumps(document))
    _, (image,), _ = read_results(tmp_path / "poses.json")
    assert (image.path, image.size) == ("photos/astronaut.jpg", (512, 512))
    assert list(document) == ["schema", "settings", "images", "failures"]
    assert document["schema"] == "pose_onnx.results/1"
    assert list(document["images"][0]) == ["path", "width", "height", "picture", "keypoint_names", "people"]
    assert document["settings"].items() >= {"preset": "accurate", "threshold": 0.4}.items()


def test_a_higher_threshold_leaves_people_out(report: Any) -> None:
    assert report["nobody"]["shown"] == "0"
    assert report["nobody"]["images"][0]["people"] == []
    assert report["nobody"]["settings"]["threshold"] == 1


def test_a_video_plays_to_its_end(report: Any) -> None:
    images = report["video"]["images"]
    assert 2 <= len(images) <= FRAMES
    times = [float(image["path"].removeprefix("walk.webm#t=")) for image in images]
    assert times == sorted(set(times))
    assert times[-1] <= FRAMES / RATE
    assert all(len(image["people"]) == 1 for image in images)
    assert f"{len(images)} frames" in report["video"]["message"]


def test_broken_files_get_a_message(report: Any) -> None:
    messages = [entry["message"] for entry in report["broken"]]
    for message, reason in zip(
        messages,
        ("not a picture", "not a video", "not an ONNX file", "not an end-to-end file"),
        strict=True,
    ):
        assert reason in message


def test_another_model_and_the_webcam(report: Any) -> None:
    assert len(report["webcam"]["images"]) >= 2
    for document in (report["webcam"], report["afterwards"]):
        assert document["settings"]["pose"] == "another_name"
    assert found(report["afterwards"]).scores.tolist() == found(report["demo"]).scores.tolist()


def test_nothing_leaves_the_machine_and_nothing_goes_wrong_unseen(report: Any, url: str) -> None:
    assert {host for host in report["hosts"] if host} == {url.split("/")[2]}
    assert report["problems"] == []


def test_it_is_isolated_and_so_has_threads(report: Any) -> None:
    assert report["isolated"]
    assert report["threads"] == "2"


def test_a_phone_needs_no_scrolling_sideways(report: Any) -> None:
    assert report["overflow"] <= 0


def test_the_page_draws_with_the_colours_of_the_package() -> None:
    script = (EXAMPLES / "web" / "drawing.mjs").read_text(encoding="utf-8")
    constants = dict(re.findall(r"^const (\w+) = ([^;{]+);$", script, re.MULTILINE))
    people = [float(number) for number in re.findall(r"\d+", constants.pop("PERSON_COLORS_RGB"))]
    assert people == np.ravel(palette.PERSON_COLORS_RGB).tolist()
    assert json.loads(constants.pop("DARK_RGB")) == list(palette.DARK_RGB)
    colors = re.findall(r"(left|right): (\[[\d, ]+\])", script)
    assert {side: tuple(json.loads(color)) for side, color in colors} == dict(palette.SIDE_COLORS_RGB)
    known = {**vars(palette), **vars(painter), **vars(poses)}
    assert len(constants) > 10
    for name, value in constants.items():
        numerator, _, divisor = value.partition(" / ")
        assert float(numerator) / float(divisor or 1) == known.get(name, known.get(f"_{name}")), name
