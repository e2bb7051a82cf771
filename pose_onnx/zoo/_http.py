"""One HTTP request to an untrusted server.

urllib opens the connection and handles certificates and the proxies of the environment. Redirects are
followed here: urllib, like requests, would first read the whole body of each into memory, and would follow
a redirect to FTP. The time limit is here too: the timeouts of both libraries restart with each byte, so a
very slow reply, or endless headers, "100 Continue" and trailers, would last forever.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from string import punctuation
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from pose_onnx.addresses import redacted

_MOST_REDIRECTS: Final = 10
_LONGEST_REASON: Final = 200
"""Maximum number of characters of a server's message that are shown to the user."""
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes of temporary errors (RFC 9110, 8470, 6585)."""
_READABLE: Final = frozenset(
    {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HTTP: Final = frozenset({"http", "https"})
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class PassingError(Exception):
    """An attempt failed, but another one may succeed.

    Attributes:
        wait: seconds to wait, as requested by the server.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class FinalError(Exception):
    """This address will not provide the file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits for a server.

    Attributes:
        timeout: seconds without an answer, or without a byte.
        total: seconds for everything, all attempts together.
        until: end of the total time, in seconds of `time.monotonic`.
    """

    timeout: float
    total: float
    until: float

    def next_timeout(self) -> float:
        """Return the maximum number of seconds to wait for the next byte.

        Raises:
            FinalError: The total time is used up.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise FinalError(f"it did not send the file within {self.total:g} s")
        return min(self.timeout, left)


def get(url: str, headers: Mapping[str, str], limits: Limits) -> http.client.HTTPResponse:
    """Request a file and follow redirects to HTTP and HTTPS, but not from HTTPS to plain HTTP.

    Returns:
        The reply, with status 200, 206 or 416. The caller closes it and reads it within `failures`.

    Raises:
        PassingError, FinalError: There is no reply, or it has another status.
    """
    for _ in range(_MOST_REDIRECTS):
        reply = _request(url, headers, limits)
        if reply.status in _READABLE:
            return reply
        with reply:  # the body is not read
            if reply.status not in _REDIRECTS:
                raise _explained(reply)
            url = redirected(url, reply.headers.get("Location", ""))
    raise FinalError(f"it redirects more than {_MOST_REDIRECTS} times")


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn everything that a connection may raise into `PassingError` or `FinalError`."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        # A ValueError means a bad address or certificate, so a retry cannot help.
        kind = FinalError if isinstance(cause, (ValueError, http.client.InvalidURL)) else PassingError
        raise kind(plain(str(cause)) or type(cause).__name__) from error


def plain(text: str) -> str:
    """Return a server's message, shortened and without terminal control characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_REASON])


def whole_number(text: str) -> int | None:
    """Return the number in a header, or `None` if it is not a valid file size."""
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else None


def _request(url: str, headers: Mapping[str, str], limits: Limits) -> http.client.HTTPResponse:
    opener = urllib.request.OpenerDirector()  # supports HTTP only
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(_Connections(limits))
    with failures():
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 (HTTP, as checked)
        reply = opener.open(request, timeout=limits.next_timeout())
    if not isinstance(reply, http.client.HTTPResponse):  # None
        raise FinalError("the proxy in the environment is not an HTTP proxy")
    return reply


def redirected(url: str, location: str) -> str:
    """Return the address that a redirect of `url` leads to.

    Raises:
        FinalError: The address is not valid, or leads from HTTPS to plain HTTP.
    """
    try:
        target = urljoin(url, quote(location, safe=punctuation, encoding="latin-1"))
        parts = urlsplit(target)
        usable = parts.scheme in _HTTP and bool(parts.hostname) and parts.username is None
    except ValueError:
        target, usable = location, False
    if not usable:
        raise FinalError(f"it redirects to {plain(redacted(target))!r}, which is not an HTTP address")
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise FinalError(f"it redirects to {plain(redacted(target))!r}, which is not encrypted")
    return target


def _explained(reply: http.client.HTTPResponse) -> PassingError | FinalError:
    reason = f"HTTP {reply.status} {http.client.responses.get(reply.status, '')}".strip()
    if reply.status not in _PASSING:
        return FinalError(reason)
    return PassingError(reason, float(whole_number(reply.headers.get("Retry-After", "")) or 0))


class _Connections(urllib.request.AbstractHTTPHandler):
    """Opens HTTP and HTTPS connections whose replies obey the time limits."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(self._connection, http.client.HTTPConnection), request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        connection = partial(self._connection, http.client.HTTPSConnection)
        return self.do_open(connection, request, context=ssl.create_default_context())

    def _connection(
        self, kind: type[http.client.HTTPConnection], host: str, **options: Any
    ) -> http.client.HTTPConnection:
        connection = kind(host, **options)
        connection.response_class = partial(_Reply, self._limits)  # type: ignore[assignment]  # makes one
        return connection


class _Reply(http.client.HTTPResponse):
    def __init__(self, limits: Limits, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_InTime(limits, sock, self.fp.detach()))


class _InTime(io.RawIOBase):
    """Reads from a socket until the time limit."""

    def __init__(self, limits: Limits, sock: socket.socket, source: io.RawIOBase) -> None:
        self._limits, self._socket, self._source = limits, sock, source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._limits.next_timeout())
        return self._source.readinto(buffer)

    def close(self) -> None:
        self._source.close()
        super().close()
