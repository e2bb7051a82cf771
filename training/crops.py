"""Training material from a folder of photos, stored once.

Persons found by the teacher detector become crops with a wide margin, so that
augmentation can scale, rotate and shift without returning to the photo. Whole
photos are stored at one moderate size for the training of the detector.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch

from pose_onnx import load_card, load_image
from pose_onnx.core.arrays import F32
from pose_onnx.core.crops import full_image_crops
from pose_onnx.core.opencv import cv2
from pose_onnx.core.warping import warp_all
from training.draw import CROPS, PHOTOS, store
from training.picodet import PicoDet
from training.predict import find_people, folded
from training.weights import load_npz

DETECTOR: Final = "picodet_s_320_lcnet_pedestrian"
MIN_SCORE: Final = 0.35
MIN_HEIGHT: Final = 40  # photo pixels; smaller people teach blur
CROP_HEIGHT: Final = 256  # pixels; enough for 128x96 with MARGIN and some oversampling
CROP_ASPECT: Final = 0.75  # width over height
BOX_GROWTH: Final = 1.25  # network crop relative to the box, as in the teacher's training (PaddleDetection)
MARGIN: Final = 1.6  # stored crop relative to the network crop: room to augment
STORED_PHOTO: Final = 320  # both sides; the aspect ratio is not kept, as in the detector
REPORT_EVERY: Final = 500  # photos


def photos(folder: Path) -> list[Path]:
    """All JPEG files below `folder`, in a fixed order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})


def store_photos(files: list[Path], folders: list[int], detector: torch.nn.Module, out: Path) -> list[F32]:
    """Write the photos at 320x320; return the boxes (N,4) of the people in each, in photo pixels."""
    card = load_card(DETECTOR)
    found: list[F32] = []
    with store(out, PHOTOS) as append:
        for index, (file, folder) in enumerate(zip(files, folders, strict=True)):
            image = load_image(file)
            side = (STORED_PHOTO, STORED_PHOTO)
            append(cv2.resize(image, side, interpolation=cv2.INTER_AREA), folder)
            boxes = find_people(detector, image, card, MIN_SCORE).boxes
            found.append(boxes[boxes[:, 3] - boxes[:, 1] > MIN_HEIGHT])
            if index % REPORT_EVERY == 0:
                print(f"{index} of {len(files)} photos, {sum(map(len, found))} people", flush=True)
    return found


def store_crops(files: list[Path], folders: list[int], boxes: list[F32], height: int, out: Path) -> None:
    """Write the people, `height` x 0.75 `height`, with `MARGIN`; black outside the photo."""
    size = (height, round(height * CROP_ASPECT))
    with store(out, CROPS) as append:
        for file, folder, people in zip(files, folders, boxes, strict=True):
            if not len(people):
                continue
            image = load_image(file)
            image_size = (image.shape[0], image.shape[1])
            crops = full_image_crops(people, image_size, size, stride=1, padding=BOX_GROWTH * MARGIN)
            for pixels in warp_all(image, crops.image_to_input, crops.regions, size):
                append(pixels, folder)


def collect(folder: Path, weights: Path, out: Path, height: int) -> None:
    """Write photos and crops, each with the number of the sub-folder that it came from."""
    detector = PicoDet()
    load_npz(detector, weights)
    files = photos(folder)
    names = [file.relative_to(folder).parts[0] for file in files]
    folders = np.unique(names, return_inverse=True)[1].tolist()
    out.mkdir(parents=True, exist_ok=True)
    boxes = store_photos(files, folders, folded(detector), out)
    store_crops(files, folders, boxes, height, out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("weights", type=Path, help=f"{DETECTOR}.npz")
    parser.add_argument("out", type=Path, help="working folder")
    parser.add_argument("--height", type=int, default=CROP_HEIGHT, help="of the stored crops")
    args = parser.parse_args()
    torch.set_num_threads(1)
    collect(args.photos, args.weights, args.out, args.height)


if __name__ == "__main__":
    main()
