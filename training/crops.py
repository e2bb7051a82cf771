"""Training material from a folder of photos, stored once as two memory-mapped arrays.

Persons found by the teacher detector become crops with a wide margin, so that
augmentation can scale, rotate and shift without returning to the photo. Whole
photos are stored at one moderate size for the training of the detector.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.lib.format import open_memmap

from training.geometry import Box, crop_matrix
from training.images import read_rgb, resize, warp
from training.picodet import PicoDet
from training.predict import detect, folded
from training.weights import load_npz

DETECTOR_SIZE: Final = 320  # network pixels, the larger official detector
MIN_SCORE: Final = 0.35
MIN_HEIGHT: Final = 40  # photo pixels; smaller people teach blur
CROP_HEIGHT: Final = 256  # pixels; enough for 128x96 with MARGIN and some oversampling
CROP_ASPECT: Final = 0.75  # width over height
MARGIN: Final = 1.6  # stored crop over the crop of the network: room to augment
STORED_PHOTO: Final = 320  # both sides, aspect ratio given up as the detector does
REPORT_EVERY: Final = 500  # photos


def photos(folder: Path) -> list[Path]:
    """All JPEG files below `folder`, in a fixed order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})


def store_photos(files: list[Path], detector: torch.nn.Module, out: Path) -> list[list[Box]]:
    """Write `photos.npy` (P,320,320,3); return the boxes of the people in every photo."""
    shape = (len(files), STORED_PHOTO, STORED_PHOTO, 3)
    stored = open_memmap(out / "photos.npy", "w+", np.uint8, shape)
    found: list[list[Box]] = []
    for index, file in enumerate(files):
        image = read_rgb(file)
        stored[index] = resize(image, (STORED_PHOTO, STORED_PHOTO), cv2.INTER_AREA)
        rows = detect(detector, image, DETECTOR_SIZE, MIN_SCORE)
        found.append([(x1, y1, x2, y2) for x1, y1, x2, y2, _ in rows if y2 - y1 > MIN_HEIGHT])
        if index % REPORT_EVERY == 0:
            print(f"{index} of {len(files)} photos, {sum(map(len, found))} people", flush=True)
    stored.flush()
    return found


def store_crops(files: list[Path], boxes: list[list[Box]], height: int, out: Path) -> None:
    """Write `crops.npy` (K,height,0.75 height,3): people with `MARGIN`, black outside the photo."""
    size = (round(height * CROP_ASPECT), height)
    shape = (sum(map(len, boxes)), size[1], size[0], 3)
    stored = open_memmap(out / "crops.npy", "w+", np.uint8, shape)
    row = 0
    for file, people in zip(files, boxes, strict=True):
        if not people:
            continue
        image = read_rgb(file)
        for box in people:
            stored[row] = warp(image, crop_matrix(box, size, margin=MARGIN), size)
            row += 1
    stored.flush()


def collect(folder: Path, weights: Path, out: Path, height: int) -> None:
    """Write the two arrays, and `folders.npy` (P,): which sub-folder each photo came from."""
    detector = PicoDet()
    load_npz(detector, weights)
    files = photos(folder)
    out.mkdir(parents=True, exist_ok=True)
    boxes = store_photos(files, folded(detector), out)
    store_crops(files, boxes, height, out)
    folders = [file.relative_to(folder).parts[0] for file in files]
    np.save(out / "folders.npy", np.unique(folders, return_inverse=True)[1])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("weights", type=Path, help="picodet_s_320_lcnet_pedestrian.npz")
    parser.add_argument("out", type=Path, help="working folder")
    parser.add_argument("--height", type=int, default=CROP_HEIGHT, help="of the stored crops")
    args = parser.parse_args()
    torch.set_num_threads(1)
    collect(args.photos, args.weights, args.out, args.height)


if __name__ == "__main__":
    main()
