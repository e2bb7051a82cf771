"""Training material from a folder of photos, stored once as two memory-mapped arrays.

Persons found by the teacher detector become crops with a wide margin, so that
augmentation can scale, rotate and shift without returning to the photo. Whole
photos are stored at one moderate size for the training of the detector.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import torch
from numpy.lib.format import open_memmap
from recipe.geometry import Box, crop_matrix
from recipe.picodet import PicoDet
from recipe.predict import detect, folded
from recipe.weights import load_npz

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

DETECTOR_SIZE: Final = 320  # network pixels, the larger official detector
MIN_SCORE: Final = 0.35
MIN_HEIGHT: Final = 40  # photo pixels; smaller people teach blur
STORED_CROP: Final = (192, 256)  # width, height
MARGIN: Final = 1.6  # stored crop over the crop of the network: room to augment
STORED_PHOTO: Final = 320  # both sides, aspect ratio given up as the detector does


def photos(folder: Path) -> list[Path]:
    """All JPEG files below `folder`, in a fixed order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})


def people(image: NDArray[np.uint8], detector: torch.nn.Module) -> list[Box]:
    """Boxes (photo pixels) of the people that the teacher finds worth training on."""
    found = detect(detector, image, DETECTOR_SIZE, MIN_SCORE)
    return [tuple(b) for b in found[:, :4] if b[3] - b[1] > MIN_HEIGHT]  # type: ignore[misc]


def stored_crops(image: NDArray[np.uint8], boxes: list[Box]) -> Iterator[NDArray[np.uint8]]:
    """Crops (256,192,3) around each box, with `MARGIN`, black outside the photo."""
    for box in boxes:
        matrix = crop_matrix(box, STORED_CROP, margin=MARGIN)
        yield cv2.warpAffine(image, matrix, STORED_CROP, flags=cv2.INTER_LINEAR)  # type: ignore[misc]


def collect(folder: Path, weights: Path, out: Path) -> None:
    """Write the arrays below to `out`.

    `crops.npy` (K,256,192,3) and `photos.npy` (P,320,320,3), RGB uint8; `folders.npy`
    (P,), the number of the sub-folder that each photo came from.
    """
    detector = PicoDet()
    load_npz(detector, weights)
    detector = folded(detector)
    files = photos(folder)
    out.mkdir(parents=True, exist_ok=True)
    whole = open_memmap(out / "photos.npy", "w+", np.uint8, (len(files), STORED_PHOTO, STORED_PHOTO, 3))
    crops: list[NDArray[np.uint8]] = []
    for index, file in enumerate(files):
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        whole[index] = cv2.resize(image, (STORED_PHOTO, STORED_PHOTO), interpolation=cv2.INTER_AREA)
        crops.extend(stored_crops(image, people(image, detector)))
        if index % 500 == 0:
            print(f"{index} of {len(files)} photos, {len(crops)} crops", flush=True)
    whole.flush()
    folders = [file.relative_to(folder).parts[0] for file in files]
    np.save(out / "folders.npy", np.unique(folders, return_inverse=True)[1])
    np.save(out / "crops.npy", np.stack(crops))
    print(f"{len(files)} photos, {len(crops)} crops", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("weights", type=Path, help="picodet_s_320_lcnet_pedestrian.npz")
    parser.add_argument("out", type=Path, help="working folder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    collect(args.photos, args.weights, args.out)


if __name__ == "__main__":
    main()
