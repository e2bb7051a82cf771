"""The size that a picture file declares, read before a decoder allocates it.

A file of a hundred bytes can declare a billion pixels. So there is a reader here for HEIC
(`pose_onnx.heif`) and for every format that OpenCV decodes; other formats are not decoded. Sources: the
formats' specifications; the fields are those that the decoders use.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pose_onnx.budget import MEMORY
from pose_onnx.errors import InputError


@dataclass(frozen=True, slots=True)
class _Format:
    """How a format is recognised and read.

    Attributes:
        name: As the error calls it.
        start: What its files begin with.
        size: Returns width and height; raises `struct.error`, `IndexError`, `ValueError` or `KeyError` where
            the file is damaged.
        cost: Bytes that decoding takes for each pixel: measured with OpenCV 5.0 on 40 million pixels, and
            some more where files of other kinds may take more.
    """

    name: str
    start: re.Pattern[bytes]
    size: Callable[[bytes], tuple[int, int]]
    cost: int


LONGEST_START: Final = 16
"""Bytes by which every format is recognised."""


def is_picture(start: bytes) -> bool:
    """Return whether a file that begins with these `LONGEST_START` bytes has a known format."""
    return any(each.start.match(start) for each in _FORMATS)


def check_size(data: bytes, name: str) -> None:
    """Refuse the content of a picture file that would take more memory than the budget, or is not a picture.

    Args:
        data: The file's content.
        name: The file's name in errors.

    Raises:
        InputError: Its format is unknown, it is damaged, or it declares too many pixels.
    """
    kind = next((each for each in _FORMATS if each.start.match(data)), None)
    if kind is None:
        raise InputError(
            f"{name!r} is damaged, or not a picture that can be read here; give an intact JPEG or PNG"
        )
    try:
        width, height = kind.size(data)
    except (struct.error, IndexError, ValueError, KeyError) as error:
        raise InputError(f"{name!r} is a damaged {kind.name}; give an intact JPEG or PNG") from error
    if width * height * kind.cost > MEMORY:
        raise InputError(
            f"{name!r} is a {kind.name} with {width:,} x {height:,} pixels, but at most "
            f"{MEMORY // kind.cost // 10**6} million can be read; make it smaller"
        )


# JPEG, ITU T.81 annex B: segments that begin with FF and a code; the compressed pixels behind SOS hold no
# FF but those stuffed with 00, restart marks (D0 to D7) and fill bytes (FF).
_JPEG_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_JPEG_END: Final = 0xD9
_JPEG_SCAN: Final = 0xDA
_JPEG_WITHOUT_LENGTH: Final = (0x01, 0xD8)
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def jpeg_ends(data: bytes) -> bool:
    """Walk from marker to marker; whatever follows the end mark (thumbnails, maker notes) is ignored."""
    return any(code == _JPEG_END for code, _ in _jpeg_segments(data))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Give the code of each marker, and where its segment begins, with the length."""
    position = 0
    while marker := _JPEG_MARKER.search(data, position):
        code = marker[1][0]
        position = marker.end()
        yield code, position
        if code not in _JPEG_WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")


def _jpeg(data: bytes) -> tuple[int, int]:
    for code, start in _jpeg_segments(data):
        if code in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 3)  # behind the length and the precision
            return width, height
        if code in (_JPEG_SCAN, _JPEG_END):
            break
    raise ValueError("no frame header before the pixels")


def _png(data: bytes) -> tuple[int, int]:
    """Read the first chunk. Decoders allocate each chunk as declared: none may reach behind the file."""
    kind, width, height = struct.unpack_from(">4sII", data, 12)
    if kind != b"IHDR":
        raise ValueError("the first chunk is another one")
    place = 8
    while place < len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, place)
        place += 12 + length  # its length, its kind and its checksum around it
        if place > len(data):
            raise ValueError("a chunk reaches behind the end")
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    return _pair("<HH", data, 6)


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = _pair("<HH", data, 18) if header == _BMP_CORE else _pair("<ii", data, 18)
    return abs(width), abs(height)


_BMP_CORE: Final = 12  # bytes of the header of OS/2


def _webp(data: bytes) -> tuple[int, int]:
    """Read the first chunk: VP8 (lossy), VP8L (lossless) or VP8X (with extras, and a canvas)."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8 ":
        width, height = _pair("<HH", body, 6)
        return width & _14_BITS, height & _14_BITS
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        return (bits & _14_BITS) + 1, (bits >> 14 & _14_BITS) + 1
    if kind == b"VP8X" and len(body) == 10:  # noqa: PLR2004 (flags and two sizes)
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    raise ValueError("the first chunk is another one")


_14_BITS: Final = (1 << 14) - 1

_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 256, 257, 322, 323
_TIFF_TYPES: Final = MappingProxyType({1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"})


def _tiff(data: bytes) -> tuple[int, int]:
    """Read the first directory. Decoders allocate whole tiles, which may be larger than the picture."""
    order = "<" if data[:2] == b"II" else ">"
    (version,) = struct.unpack_from(f"{order}H", data, 2)
    # Offset of the directory, its count of entries, size of an entry, where in it the value is.
    at, offset, count, entry, value = (8, "Q", "Q", 20, 12) if version == _BIG_TIFF else (4, "I", "H", 12, 8)
    (place,) = struct.unpack_from(order + offset, data, at)
    (entries,) = struct.unpack_from(order + count, data, place)
    place += struct.calcsize(order + count)
    if entries > _MOST_ENTRIES:
        raise ValueError("more entries than decoders read")
    sizes: dict[int, int] = {}
    for start in range(place, place + entries * entry, entry):
        tag, kind = struct.unpack_from(f"{order}HH", data, start)
        if tag in _TIFF_SIZES:
            number, where = order + _TIFF_TYPES[kind], start + value
            if struct.calcsize(number) > entry - value:  # it is elsewhere
                (where,) = struct.unpack_from(order + offset, data, where)
            sizes[tag] = max(sizes.get(tag, 0), *struct.unpack_from(number, data, where))
    width = max(sizes[_TIFF_WIDTH], sizes.get(_TIFF_TILE_WIDTH, 0))
    return width, max(sizes[_TIFF_HEIGHT], sizes.get(_TIFF_TILE_HEIGHT, 0))


_BIG_TIFF: Final = 43
_MOST_ENTRIES: Final = 4096  # of libtiff
_TIFF_SIZES: Final = (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT)

_PNM: Final = re.compile(rb"P[1-6fF](?:\s|#[^\n]*\n)*(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})")
_PAM: Final = re.compile(rb"^(WIDTH|HEIGHT)\s+(\d{1,9})\s*$", re.MULTILINE)
_RADIANCE: Final = re.compile(rb"[^\0]*?\n\r?\n-Y (\d{1,9}) \+X (\d{1,9})")


def _pnm(data: bytes) -> tuple[int, int]:
    return _matched(_PNM.match(data))


def _pam(data: bytes) -> tuple[int, int]:
    header, end, _ = data.partition(b"ENDHDR")
    if not end:
        raise ValueError("the header does not end")
    sides = {name: int(number) for name, number in _PAM.findall(header)}
    return sides[b"WIDTH"], sides[b"HEIGHT"]


def _radiance(data: bytes) -> tuple[int, int]:
    height, width = _matched(_RADIANCE.match(data, 0, _LONGEST_HEADER))
    return width, height


_LONGEST_HEADER: Final = 1 << 16


def _sun_raster(data: bytes) -> tuple[int, int]:
    return _pair(">II", data, 4)


_JP2_CODESTREAM: Final = b"\xff\x4f\xff\x51"
_JP2_CHANNELS: Final = 3


def _jpeg_2000(data: bytes) -> tuple[int, int]:
    """Read the codestream's SIZ. What it has more channels than three counts as more rows."""
    start = 0 if data.startswith(_JP2_CODESTREAM) else _box(data, b"jp2c")
    if data[start : start + 4] != _JP2_CODESTREAM:
        raise ValueError("no codestream")
    x1, y1, x0, y0 = struct.unpack_from(">4I", data, start + 8)
    (channels,) = struct.unpack_from(">H", data, start + 40)
    rows = max(0, y1 - y0)
    return max(0, x1 - x0), rows * max(1, -(-channels // _JP2_CHANNELS))


def _box(data: bytes, wanted: bytes) -> int:
    """Return where the content of a top-level box begins."""
    place = 0
    while True:
        length, kind = struct.unpack_from(">I4s", data, place)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
            header = 16
        if kind == wanted:
            return place + header
        if length < header:
            raise ValueError("a box without a length")
        place += length


def _heif(data: bytes) -> tuple[int, int]:
    """Return the largest of the sizes: of the picture, its tiles, its transparency and its thumbnail."""
    places = [match.end() + 4 for match in re.finditer(b"ispe", data)]  # behind a version and flags
    return max((_pair(">II", data, place) for place in places), key=lambda size: size[0] * size[1])


def _pair(layout: str, data: bytes, place: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, data, place)
    return first, second


def _matched(match: re.Match[bytes] | None) -> tuple[int, int]:
    if match is None:
        raise ValueError("no size in the header")
    return int(match[1]), int(match[2])


def _starts(*texts: bytes) -> re.Pattern[bytes]:
    return re.compile(b"|".join(texts), re.DOTALL)


_FORMATS: Final = (
    # 6 measured, 9 of a progressive one with all its colours; a telephone's 200 million pixels are read.
    _Format("JPEG", _starts(rb"\xff\xd8\xff"), _jpeg, 8),
    _Format("PNG", _starts(rb"\x89PNG\r\n\x1a\n"), _png, 10),
    _Format("WebP", _starts(rb"RIFF....WEBP"), _webp, 10),
    _Format("BMP", _starts(rb"BM"), _bmp, 10),
    _Format("GIF", _starts(rb"GIF8[79]a"), _gif, 13),
    _Format("TIFF", _starts(rb"II[*+]\0", rb"MM\0[*+]"), _tiff, 18),
    _Format("PNM", _starts(rb"P[1-6]\s"), _pnm, 10),
    _Format("PAM", _starts(rb"P7\s"), _pam, 10),
    _Format("PFM", _starts(rb"P[fF]\s"), _pnm, 24),
    _Format("Sun raster", _starts(rb"\x59\xa6\x6a\x95"), _sun_raster, 10),
    _Format("Radiance HDR", _starts(rb"#\?RGBE", rb"#\?RADIANCE"), _radiance, 16),
    _Format("JPEG 2000", _starts(rb"\0\0\0\x0cjP  \r\n\x87\n", rb"\xff\x4f\xff\x51"), _jpeg_2000, 17),
    _Format("AVIF", _starts(rb"....ftypavi[fs]"), _heif, 19),
    _Format("HEIC", _starts(rb"....ftyp(he(i[cmsx]|v[cmsx])|mi[af]1|msf1)"), _heif, 19),
)
