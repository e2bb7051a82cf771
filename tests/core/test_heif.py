"""HEIC and AVIF: decoded, upright, or refused in one sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from pose_onnx import DependencyError, InputError, load_image
from pose_onnx.folders import kind_of

Picture = pytest.importorskip("PIL.Image", reason="needs pose-onnx[heif]")
pillow_heif = pytest.importorskip("pillow_heif", reason="needs pose-onnx[heif]")

ORIENTATION = 0x0112  # EXIF's tag
QUARTER_TURN = 6  # shown a quarter turn clockwise
WIDTH, HEIGHT = 64, 32
TOLERANCE = 12  # of 255: both formats lose some


@pytest.fixture
def picture() -> np.ndarray:
    """Return a picture, RGB, red at the top left."""
    pixels = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = (220, 30, 30)
    return pixels


def encoded(pixels: np.ndarray, kind: str, orientation: int = 1) -> bytes:
    image, out = Picture.fromarray(pixels), io.BytesIO()
    exif = Picture.Exif()
    exif[ORIENTATION] = orientation
    if kind == "avif":
        image.save(out, "AVIF", exif=exif, quality=95)
    else:
        image.info["exif"] = exif.tobytes()
        pillow_heif.from_pillow(image).save(out, quality=95, exif=exif.tobytes())
    return out.getvalue()


def mark(pixels: np.ndarray) -> tuple[bool, bool]:
    """Say whether the red quarter, of BGR pixels, is at the bottom and at the right."""
    rows, columns = np.nonzero(pixels[:, :, 2] > 150)
    return bool(rows.mean() > pixels.shape[0] / 2), bool(columns.mean() > pixels.shape[1] / 2)


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_pixels(picture: np.ndarray, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encoded(picture, kind))
    found = load_image(path)
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert found.dtype == np.uint8
    assert np.median(np.abs(found[:, :, ::-1].astype(int) - picture)) <= TOLERANCE
    np.testing.assert_array_equal(load_image(path.read_bytes()), found)
    assert kind_of(path.name) == "picture"


def test_an_avif_that_is_turned_comes_upright(picture: np.ndarray) -> None:
    data = encoded(picture, "avif", QUARTER_TURN)
    assert b"irot" in data
    found = load_image(data)
    assert found.shape == (WIDTH, HEIGHT, 3)
    assert mark(found) == (False, True)


def test_the_exif_of_a_heic_does_not_turn_it(picture: np.ndarray) -> None:
    """Its own `irot` counts, which libheif has applied; turning again by EXIF would be once too often."""
    found = load_image(encoded(picture, "heic", QUARTER_TURN))
    upright = load_image(encoded(picture, "heic"))
    assert found.shape == upright.shape


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_damaged_files_are_refused(picture: np.ndarray, kind: str) -> None:
    data = encoded(picture, kind)
    for cut in (20, 60, len(data) // 2):
        with pytest.raises(InputError, match="damaged"):
            load_image(data[:cut])


def test_too_many_pixels_are_refused_before_they_are_decoded(picture: np.ndarray) -> None:
    data = encoded(picture, "heic")
    size = data.index(b"ispe") + 8
    large = data[:size] + (40_000).to_bytes(4, "big") * 2 + data[size + 8 :]
    with pytest.raises(InputError, match="40,000 x 40,000 pixels, but at most"):
        load_image(large)


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_without_the_extra_one_sentence_says_what_to_do(
    picture: np.ndarray, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pose_onnx.heif.can_read_heif", lambda: False)
    with pytest.raises(DependencyError, match=r"pip install 'pose-onnx\[heif\]', or convert it to JPEG"):
        load_image(encoded(picture, kind))
