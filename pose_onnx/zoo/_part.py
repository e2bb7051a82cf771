"""A partial download, and one attempt to receive the rest.

Two parts are joined only if both have the same strong ETag and the same length. Two versions of a file may
share a date or a weak ETag (RFC 9110, 8.8.1), and joining their parts would give a broken file.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pose_onnx.budget import MEMORY
from pose_onnx.errors import OutputError
from pose_onnx.files import cannot_write
from pose_onnx.zoo._http import FinalError, Limits, PassingError, failures, get, plain, whole_number

_CHUNK: Final = 1 << 16
"""Maximum number of bytes per read from a connection."""
_STRONG: Final = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")

Advance = Callable[[int, "int | None"], None]
"""Called with the number of bytes received, and the total if known."""
_Origin = tuple[str, str, int]
"""Origin of a part: address, strong ETag, size of the whole file in bytes."""


class Part:
    """A partial download, stored in two hidden files beside the target."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".part.{target.name}")  # keeps the suffix, which readers rely on
        self._note = target.with_name(f".part.{target.name}.json")

    @property
    def size(self) -> int:
        """Number of bytes received."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def origin(self) -> _Origin | None:
        """Return the origin of the part, or `None` if it cannot be continued."""
        try:
            url, etag, total = json.loads(self._note.read_bytes())
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        usable = isinstance(url, str) and _STRONG.fullmatch(str(etag)) and isinstance(total, int)
        return (url, etag, total) if usable and 0 < self.size <= total else None

    def begin(self, origin: _Origin | None) -> None:
        """Start from nothing.

        Raises:
            OutputError: The folder cannot be written.
        """
        self.discard()
        try:
            self.path.touch()
            if origin:
                self._note.write_text(json.dumps(origin), encoding="utf-8")
        except OSError as error:
            raise OutputError(cannot_write(self.path, error)) from error

    def append(self, chunk: bytes) -> int:
        """Append the received bytes, and return the number of bytes received so far.

        Raises:
            OutputError: The disk is full, ...
        """
        try:
            with self.path.open("ab") as file:
                file.write(chunk)
                return file.tell()
        except OSError as error:
            raise OutputError(cannot_write(self.path, error)) from error

    def discard(self) -> None:
        """Delete the partial download."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def attempt(url: str, part: Part, limits: Limits, advance: Advance) -> bool:
    """Receive the missing bytes.

    Returns:
        Whether a partial download was continued.

    Raises:
        PassingError, FinalError: It failed; the received bytes are kept if they can be continued.
        OutputError: The part cannot be written.
    """
    known = part.origin()
    if known and known[0] != url:
        known = None
    if known and known[2] == part.size:
        return True  # the earlier run stopped between the last byte and the check
    headers = {"User-Agent": "pose-onnx", "Accept-Encoding": "identity"}
    if known:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": known[1]}
    with get(url, headers, limits) as reply:
        is_whole = reply.status == http.client.OK
        total = _begin(url, part, reply) if is_whole else _continue(part, known, reply)
        _receive(reply, part, total, advance)
    return not is_whole


def _begin(url: str, part: Part, reply: http.client.HTTPResponse) -> int | None:
    """Prepare for the whole file, and return its length if the server states it."""
    length = None if reply.chunked else reply.headers.get("Content-Length")
    total = None if length is None else whole_number(length)
    if length is not None and total is None:
        raise FinalError(f"it states {plain(length)!r} as the length of the file")
    if (total or 0) > MEMORY:
        raise FinalError(f"it offers {total:,} bytes; models have at most {MEMORY:,}")
    etag = reply.headers.get("ETag", "")
    part.begin((url, etag, total) if total and _STRONG.fullmatch(etag) else None)
    return total


def _continue(part: Part, known: _Origin | None, reply: http.client.HTTPResponse) -> int:
    """Make sure that the server sends the rest of this file, and return the total length."""
    found = _RANGE.fullmatch(reply.headers.get("Content-Range", "").strip())
    if (
        not found
        or not known
        or (int(found[1]), reply.headers.get("ETag"), int(found[2]))
        != (
            part.size,
            *known[1:],
        )
    ):
        part.discard()
        raise PassingError("it sent another part or another version of the file than was requested")
    return known[2]


def _receive(reply: http.client.HTTPResponse, part: Part, total: int | None, advance: Advance) -> None:
    size, limit = part.size, MEMORY if total is None else total
    while True:
        with failures():
            chunk = reply.read1(_CHUNK)
        if not chunk:
            break
        if size + len(chunk) > limit:
            part.discard()
            raise FinalError(f"it sends more than {limit:,} bytes")
        size = part.append(chunk)
        advance(size, total)
    if total is not None and size != total:
        raise PassingError(f"the connection ended after {size:,} of {total:,} bytes")
