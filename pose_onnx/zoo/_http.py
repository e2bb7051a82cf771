"""One HTTP request to a server that nobody vouches for.

urllib opens the connection: proxies of the environment and certificates come with it. Redirects are
followed here: urllib, as requests does, would read the whole body of each into memory first, and would go on
to FTP. The clock is here too: the timeouts of both begin anew with each byte, so that a reply that drips, or
headers, "100 Continue" and trailers that never end, would last forever.
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
"""Characters of a server's own words that are repeated to the user."""
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes that may be gone at the next attempt (RFC 9110, 8470, 6585)."""
_READABLE: Final = frozenset(
    {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HTTP: Final = frozenset({"http", "https"})
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,18}")


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
class Limits:
    """How long a server may take.

    Attributes:
        timeout: seconds without an answer, or without a byte.
        total: seconds for everything, all attempts together.
        until: when those end, in seconds of `time.monotonic`.
    """

    timeout: float
    total: float
    until: float

    def next_timeout(self) -> float:
        """Seconds that may be waited for the next byte.

        Raises:
            FinalError: The time is over.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise FinalError(f"it did not send the file within {self.total:g} s")
        return min(self.timeout, left)


def get(url: str, headers: Mapping[str, str], limits: Limits) -> http.client.HTTPResponse:
    """Ask for a file, and follow redirects to HTTP and HTTPS, but not from HTTPS to plain HTTP.

    Returns:
        The reply, with status 200, 206 or 416; to be closed, and to be read within `failures`.

    Raises:
        PassingError, FinalError: There is none, or it has another status.
    """
    for _ in range(_MOST_REDIRECTS):
        reply = _request(url, headers, limits)
        if reply.status in _READABLE:
            return reply
        with reply:  # whose body is not read
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
        # A ValueError is an address, or a certificate, that will be as wrong the next time.
        kind = FinalError if isinstance(cause, (ValueError, http.client.InvalidURL)) else PassingError
        raise kind(plain(str(cause)) or type(cause).__name__) from error


def plain(text: str) -> str:
    """Return a server's own words cut, and without characters that steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_REASON])


def whole_number(text: str) -> int | None:
    """Return the number that a header holds, or `None` if it holds none that a file could have."""
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else None


def _request(url: str, headers: Mapping[str, str], limits: Limits) -> http.client.HTTPResponse:
    opener = urllib.request.OpenerDirector()  # which knows HTTP and nothing else
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(_Connections(limits))
    with failures():
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 (HTTP, as checked)
        reply = opener.open(request, timeout=limits.next_timeout())
    if not isinstance(reply, http.client.HTTPResponse):  # None
        raise FinalError("the proxy that the environment names is not an HTTP proxy")
    return reply


def redirected(url: str, location: str) -> str:
    """Return the address that a redirect of `url` leads to.

    Raises:
        FinalError: It is none, or leads from HTTPS to plain HTTP.
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
        raise FinalError(f"it redirects to {plain(redacted(target))!r}, which is not protected")
    return target


def _explained(reply: http.client.HTTPResponse) -> PassingError | FinalError:
    reason = f"HTTP {reply.status} {http.client.responses.get(reply.status, '')}".strip()
    if reply.status not in _PASSING:
        return FinalError(reason)
    return PassingError(reason, float(whole_number(reply.headers.get("Retry-After", "")) or 0))


class _Connections(urllib.request.AbstractHTTPHandler):
    """Opens HTTP and HTTPS connections whose replies end in time."""

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
    """What comes from a socket, until the time is over."""

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
