"""Videos with known truth: people cut out of photos, moved along known paths over a still background.

Used by the video benchmarks and, on the two demo photos, by the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_onnx import Poses, load_image

ROOT = Path(__file__).resolve().parents[1]
SIZE = (360, 640)  # height, width of a frame
PERSON_HEIGHT = 220  # pixels
NOISE = 3.0  # standard deviation of the sensor's noise, of 255
SMALLEST_PERSON = 200  # minimum height in the photo for COCO people, pixels
MOST_JOINTS_MISSING = 1
SIDES = 2  # number of people who begin at a side of the picture
MIDDLE = np.array([0.3, 0.55])  # where others begin and end, relative to the width
MATCHING_IOU = 0.3  # between a true and a found box

OUTLINES = {
    "astronaut.jpg": [
        (20, 511), (22, 400), (50, 270), (110, 230), (115, 185), (140, 155), (183, 150), (156, 110),
        (152, 60), (190, 20), (250, 15), (295, 50), (303, 110), (265, 160), (295, 190), (306, 245),
        (345, 290), (362, 345), (300, 420), (280, 511),
    ],
    "camera.jpg": [
        (0, 511), (0, 260), (35, 170), (120, 125), (165, 100), (168, 80), (215, 66), (265, 85),
        (272, 160), (320, 185), (330, 215), (310, 270), (250, 312), (205, 320), (148, 400), (150, 511),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Cutout:
    """A person: (h, w, 3) uint8 pixels, and the person's share of each, (h, w, 1) float32, 0 to 1."""

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.float32]

    def scaled(self, height: float) -> Cutout:
        """Return the person scaled to another height."""
        ratio = height / self.pixels.shape[0]
        pixels, alpha = (cv2.resize(a, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
                         for a in (self.pixels, self.alpha))  # fmt: skip
        return Cutout(pixels, alpha[..., None])


@dataclass(frozen=True)
class Scene:
    """People on paths.

    Attributes:
        people: N people, those in front last.
        paths: (F, N, 2) float64, xy of each person's upper left corner in each frame.
        fps: Frames per second.
        background: (H, W, 3) uint8.
        front: Picture pasted over everything, with its alpha (H, W, 1); `None` if there is none.
        seed: Seed of the noise.
    """

    people: tuple[Cutout, ...]
    paths: NDArray[np.float64]
    fps: float
    background: NDArray[np.uint8]
    front: Cutout | None = None
    seed: int = 0

    def boxes(self) -> NDArray[np.float64]:
        """Return (F, N, 4): the true boxes, xyxy."""
        sizes = np.array([person.pixels.shape[1::-1] for person in self.people], np.float64)
        return np.concatenate([self.paths, self.paths + sizes], axis=-1)

    def frames(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield each frame's time and pixels."""
        rng = np.random.default_rng(self.seed)
        for index, places in enumerate(self.paths):
            image = self.background.astype(np.float32)
            for person, place in zip(self.people, places, strict=True):
                paste(image, person, place)
            if self.front is not None:
                paste(image, self.front, np.zeros(2))
            image += NOISE * rng.standard_normal(image.shape, np.float32)
            yield index / self.fps, image.clip(0, 255).astype(np.uint8)


def paste(image: NDArray[np.float32], person: Cutout, place: NDArray[np.float64]) -> None:
    """Blend a person into an image at a sub-pixel position."""
    height, width = image.shape[:2]
    low = np.floor(place).astype(int)
    move = np.array([[1, 0, place[0] - low[0]], [0, 1, place[1] - low[1]]], np.float32)
    sides = (person.pixels.shape[1] + 1, person.pixels.shape[0] + 1)
    pixels = cv2.warpAffine(person.pixels, move, sides, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(person.alpha, move, sides)[..., None]
    x1, y1 = np.maximum(low, 0)
    x2, y2 = np.minimum(low + sides, (width, height))
    if x2 <= x1 or y2 <= y1:
        return
    part = (slice(y1 - low[1], y2 - low[1]), slice(x1 - low[0], x2 - low[0]))
    region = image[y1:y2, x1:x2]
    region += alpha[part] * (pixels[part] - region)


def demo_people() -> list[Cutout]:
    """Return the astronaut and the camera man of the demo photos."""
    people = []
    for name, outline in OUTLINES.items():
        pixels = load_image(ROOT / "models/photos" / name)
        people.append(_cut(pixels, [np.array(outline)]))
    return people


def coco_people(folder: Path) -> list[Cutout]:
    """Return people cut out of COCO photos by their masks, if (nearly) all their joints are visible."""
    data = json.loads((folder / "person_keypoints_dev.json").read_text())
    names = {image["id"]: image["file_name"] for image in data["images"]}
    people = []
    for note in data["annotations"]:
        joints = len(note["keypoints"]) // 3
        if (
            note["iscrowd"]
            or note["num_keypoints"] < joints - MOST_JOINTS_MISSING
            or note["bbox"][3] < SMALLEST_PERSON
        ):
            continue
        if note["bbox"][3] < 1.2 * note["bbox"][2]:  # upright
            continue
        outlines = [np.array(part).reshape(-1, 2) for part in note["segmentation"]]
        people.append(_cut(load_image(folder / "images" / names[note["image_id"]]), outlines))
    return people


def _cut(pixels: NDArray[np.uint8], outlines: list[NDArray[np.float64]]) -> Cutout:
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [outline.round().astype(np.int32) for outline in outlines], 255)
    alpha = cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32)[..., None] / 255
    points = np.concatenate(outlines)
    (x1, y1), (x2, y2) = points.min(axis=0).astype(int), points.max(axis=0).astype(int) + 1
    return Cutout(pixels[y1:y2, x1:x2], alpha[y1:y2, x1:x2])


def background(seed: int) -> NDArray[np.uint8]:
    """Return soft clouds."""
    rng = np.random.default_rng(seed)
    coarse = (rng.uniform(80, 180, (6, 10, 1)) + rng.uniform(-20, 20, (6, 10, 3))).astype(np.float32)
    clouds: NDArray[np.float32] = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return clouds.clip(0, 255).astype(np.uint8)


def crossing(
    people: list[Cutout], seed: int, *, count: int = 2, frames: int = 300, fps: float = 30.0
) -> Scene:
    """Let people walk through the picture and past each other, each with their own pace and height."""
    rng = np.random.default_rng(seed)
    chosen = tuple(
        people[index].scaled(PERSON_HEIGHT * rng.uniform(0.85, 1.1))
        for index in rng.choice(len(people), count, replace=len(people) < count)
    )
    progress = np.linspace(0, 1, frames)
    paths = np.empty((frames, count, 2))
    for index, person in enumerate(chosen):
        height, width = person.pixels.shape[:2]
        # The first two swap sides; others walk in the middle, so that both pass them.
        ends = np.array([8, SIZE[1] - width - 8]) if index < SIDES else MIDDLE * SIZE[1]
        ends = ends[:: 1 if index % 2 == 0 else -1] + rng.uniform(-4, 4, 2)
        pace = progress + rng.uniform(-0.05, 0.05) * np.sin(2 * np.pi * progress)
        paths[:, index, 0] = ends[0] + (ends[1] - ends[0]) * pace
        bob = 3 * np.sin(2 * np.pi * (progress * frames / fps * rng.uniform(0.8, 1.2) + rng.uniform()))
        paths[:, index, 1] = SIZE[0] - height + rng.uniform(-14, 4) + bob
    return Scene(chosen, paths, fps, background(seed), seed=seed)


def behind_a_pillar(
    people: list[Cutout], seed: int, *, hidden: float = 0.5, frames: int = 120, fps: float = 30.0
) -> Scene:
    """Let one person walk behind a pillar, fully hidden for `hidden` seconds, while another stands still."""
    rng = np.random.default_rng(seed)
    walker, stander = (
        people[index].scaled(PERSON_HEIGHT * rng.uniform(0.85, 1.0))
        for index in rng.choice(len(people), 2, replace=False)
    )
    (height, width), speed = walker.pixels.shape[:2], 110.0  # pixels per second
    pillar = int(width + hidden * speed)
    times = np.arange(frames) / fps
    middle = times[-1] / 2
    left = 400 - pillar // 2
    paths = np.empty((frames, 2, 2))
    paths[:, 0, 0] = left + pillar / 2 - width / 2 + speed * (times - middle)
    paths[:, 0, 1] = SIZE[0] - height + rng.uniform(-10, 4)
    paths[:, 1, 0] = 4
    paths[:, 1, 1] = SIZE[0] - stander.pixels.shape[0]
    alpha = np.zeros((*SIZE, 1), np.float32)
    alpha[:, left : left + pillar] = 1
    pixels = np.full((*SIZE, 3), 90, np.uint8)
    return Scene((walker, stander), paths, fps, background(seed), Cutout(pixels, alpha), seed)


def ids_of(scene: Scene, index: int, poses: Poses) -> NDArray[np.int64]:
    """Return (N,): which id each true person has in a frame, 0 for none."""
    ids = np.zeros(0, np.int64) if poses.ids is None else poses.ids
    return overlapping_ids(scene, index, poses.boxes, ids)


def overlapping_ids(
    scene: Scene, index: int, boxes: NDArray[np.float32], ids: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return (N,): which id each true person has in a frame, 0 for none, by the largest overlap of boxes."""
    truth = scene.boxes()[index]
    found = np.zeros(len(truth), np.int64)
    if not len(boxes):
        return found
    low = np.maximum(truth[:, None, :2], boxes[None, :, :2])
    high = np.minimum(truth[:, None, 2:], boxes[None, :, 2:])
    common = np.prod((high - low).clip(0), axis=-1)
    areas = np.prod(truth[:, 2:] - truth[:, :2], axis=-1)[:, None] + np.prod(
        boxes[:, 2:] - boxes[:, :2], axis=-1
    )
    iou = common / (areas - common)
    for person in range(len(truth)):
        best = int(iou[person].argmax())
        if iou[person, best] > MATCHING_IOU and iou[:, best].argmax() == person:
            found[person] = ids[best]
    return found
