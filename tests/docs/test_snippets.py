"""Every snippet of every document runs as it is printed, beside the files that it speaks of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from pose_onnx import load_image
from tests.conftest import write_stand_in
from tests.docs.snippets import NOT_HERE, ROOT, commands_of, snippets_of
from tests.tiny_people import heads_network as write_one_pass

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PHOTOS = ROOT / "models" / "photos"
SIDE = 256  # pixels
FRAMES = 6
OFFICIAL = ("tinypose_256x192", "picodet_s_320_lcnet_pedestrian", "stgcn_pphuman")
"""Models that documents name; the official weights are a download, and not what is tested here."""
NEEDS = {  # packages without which a document cannot run
    "README.md": ("ai_edge_litert", "av", "scipy", "pycocotools"),
    "actions.md": ("av", "scipy"),
    "formats.md": ("av", "scipy", "supervision"),
    "ray.md": ("ray", "pandas"),
    "one-pass.md": ("av", "scipy", "pycocotools"),
    "runtimes.md": ("openvino",),
    "video.md": ("av", "scipy"),
}


def can_run(document: Path) -> bool:
    return any(one.language == "python" or list(commands_of(one)) for one in snippets_of(document))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with everything that the documents name."""
    folder = tmp_path_factory.mktemp("documents") / "prepared"
    shutil.copytree(PHOTOS, folder / "models" / "photos")
    for name in ("photos", "val2017", "frames"):
        shutil.copytree(PHOTOS, folder / name, ignore=shutil.ignore_patterns("*.md"))
    shutil.copy(PHOTOS / "astronaut.jpg", folder / "a.jpg")
    shutil.copy(PHOTOS / "camera.jpg", folder / "b.jpg")
    for suffix in (".onnx", ".tflite"):
        for name in ("a", "model"):
            shutil.copy(ROOT / "models" / f"tinypose_128x96_distilled{suffix}", folder / f"{name}{suffix}")
    write_video(folder / "walk.mp4", "mp4v")
    write_video(folder / "people.avi", "MJPG")
    write_annotations(folder / "person_keypoints_val2017.json", folder / "val2017" / "astronaut.jpg")
    write_one_pass(folder / "people.onnx")
    for name in OFFICIAL:
        write_stand_in(name, folder / "home")
    for image in (folder / "frames").iterdir():  # of one size, as frames are
        cv2.imwrite(str(image), cv2.resize(load_image(image), (SIDE, SIDE)))
    return folder


def write_video(path: Path, codec: str) -> None:
    photo = cv2.resize(load_image(PHOTOS / "astronaut.jpg"), (SIDE, SIDE))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (SIDE, SIDE))
    for _ in range(FRAMES):
        writer.write(photo)
    writer.release()


def write_annotations(path: Path, photo: Path) -> None:
    height, width = load_image(photo).shape[:2]
    person: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "num_keypoints": 17}
    person |= {"bbox": [0, 0, width, height], "area": width * height, "keypoints": [9, 9, 2] * 17}
    image = {"id": 1, "file_name": photo.name, "width": width, "height": height}
    categories = [{"id": 1, "name": "person"}]
    path.write_text(json.dumps({"images": [image], "annotations": [person], "categories": categories}))


@pytest.mark.skipif(os.name != "posix", reason="the time limit is a signal of POSIX")
@pytest.mark.parametrize(
    "document", [one for one in DOCUMENTS if can_run(one)], ids=lambda document: document.name
)
def test_the_snippets_run(document: Path, prepared: Path) -> None:
    for package in NEEDS.get(document.name, ()):
        pytest.importorskip(package, reason=f"{document.name} is about an extra that is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.snippets", document, prepared],
        env={**os.environ, "PYTHONPATH": str(ROOT), "POSE_ONNX_HOME": str(prepared / "home")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_what_does_not_run_is_there() -> None:
    lines = "\n".join(snippet.text for document in DOCUMENTS for snippet in snippets_of(document))
    assert [pattern for pattern in NOT_HERE if not re.search(pattern, lines, re.MULTILINE)] == []
