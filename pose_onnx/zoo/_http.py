"""One attempt to receive a file, continuing where the last one ended."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final, cast
from urllib.parse import urlsplit

from pose_onnx.errors import OutputError

MAX_BYTES: Final = 2 << 30
"""No model of PaddleDetection is half as large; what is larger is a mistake, or malice."""
_CHUNK: Final = 1 << 16
"""Bytes that are read from a connection at most at a time."""
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes that may be gone at the next attempt (RFC 9110, 8470, 6585)."""
_RANGE_REFUSED: Final = 416

Advance = Callable[[int, "int | None"], None]
"""Called with the bytes that are here, and with how many there will be, if that is known."""


class PassingError(Exception):
    """An attempt failed, and another may not.

    Attributes:
        wait: seconds that the server asks to wait.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class FinalError(Exception):
    """This address will not give the file."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a part was received from.

    Attributes:
        url: its address.
        validator: strong ETag, else date, of the version that is being received; empty if there is neither.
        total: bytes of the whole, if the server says so.
    """

    url: str
    validator: str
    total: int | None


class Part:
    """The part of a file that was received so far, in two hidden files beside the target."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".part.{target.name}")  # keeps the suffix, by which readers go
        self._note = target.with_name(f".part.{target.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are here."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def origin(self, url: str) -> _Origin | None:
        """Return what is known of the part, or `None` if it is not of this address."""
        try:
            origin = _Origin(**json.loads(self._note.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return origin if origin.url == url and self.path.is_file() else None

    def begin(self, origin: _Origin) -> None:
        """Start from nothing."""
        self.discard()
        try:
            self.path.touch()
            self._note.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def discard(self) -> None:
        """Forget what was received."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from HTTPS to plain HTTP."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise FinalError(f"it redirects to {newurl}, which is not protected")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def attempt(url: str, part: Part, timeout: float, advance: Advance) -> bool:
    """Receive what is missing.

    Returns:
        Whether something was there before.

    Raises:
        PassingError, FinalError: It did not work; what was received is kept.
        OutputError: The part cannot be written.
    """
    known = part.origin(url)
    if known and known.total == part.size:
        return True  # stopped between the last byte and the check
    headers = {"User-Agent": "pose-onnx", "Accept-Encoding": "identity"}
    # Without a validator the rest could be of another version of the file, so all of it is sent again.
    if known and known.validator and part.size:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": known.validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the scheme was checked)
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=timeout) as response:
            resumed, total = _begin(url, part, known, cast("http.client.HTTPResponse", response))
            _receive(response, part, total, advance)
    except OutputError:
        raise
    except urllib.error.HTTPError as error:
        with error:  # it holds the connection
            if error.code == _RANGE_REFUSED:
                part.discard()
            raise _explained(error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _failed(error) from error
    return resumed


def _begin(
    url: str, part: Part, known: _Origin | None, response: http.client.HTTPResponse
) -> tuple[bool, int | None]:
    """Prepare the part for what the server sends: the rest, or all of it; return which, and the total."""
    if response.status == http.client.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        total = int(found[2]) if found and found[2] != "*" else None
        if not found or not known or int(found[1]) != part.size or total not in {known.total, None}:
            part.discard()
            raise PassingError("it sent another part of the file than was asked for")
        return True, known.total
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    part.begin(_Origin(url, _validator(response.headers), total))
    return False, total


def _validator(headers: Message | Mapping[str, str]) -> str:
    etag = str(headers.get("ETag") or "")
    # RFC 9110, 13.1.5: a weak ETag cannot say that two parts belong together.
    return etag if etag and not etag.startswith("W/") else str(headers.get("Last-Modified") or "")


def _receive(response: http.client.HTTPResponse, part: Part, total: int | None, advance: Advance) -> None:
    size = part.size
    if (total or 0) > MAX_BYTES:
        raise FinalError(f"it offers {total:,} bytes; models have at most {MAX_BYTES:,}")
    with part.path.open("ab") as file:
        while chunk := response.read1(_CHUNK):
            try:
                file.write(chunk)
                file.flush()
            except OSError as error:
                raise _cannot_write(part.path, error) from error
            size += len(chunk)
            advance(size, total)
            if size > MAX_BYTES:
                raise FinalError(f"it sends more than {MAX_BYTES:,} bytes; no model is that large")
    if total is not None and size != total:
        raise PassingError(f"the connection ended after {size:,} of {total:,} bytes")


def _explained(error: urllib.error.HTTPError) -> PassingError | FinalError:
    reason = f"HTTP {error.code} {error.reason}"
    if error.code not in {*_PASSING, _RANGE_REFUSED}:
        return FinalError(reason)
    wait = error.headers.get("Retry-After", "")
    return PassingError(reason, float(wait) if wait.isdecimal() else 0.0)


def _failed(error: OSError | http.client.HTTPException) -> PassingError | FinalError:
    cause = getattr(error, "reason", error)  # urllib wraps what happened
    reason = str(cause) or type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return FinalError(reason)
    return PassingError(reason)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{str(path)!r} cannot be written ({error.strerror}); choose a writable folder with free space"
    )
