"""A web server that misbehaves as told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ETAG = '"version-1"'


class Handler(BaseHTTPRequestHandler):
    """Gives each path's next answer; the last one again and again."""

    server: Server

    def do_GET(self) -> None:
        web = self.server.web
        web.requests.append((self.path, dict(self.headers.items())))
        answers = web.answers.get(self.path, [status(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name in the base)
        del format, args

    def start(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    web: Web

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address  # clients that leave are part of the tests


Answer = Callable[[Handler], None]


@dataclass
class Web:
    """A server on this machine.

    Attributes:
        url: its address, without a slash at the end.
        answers: by path, one after the other.
        requests: path and headers of every request so far.
    """

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def serve(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url + path

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.requests]


def whole(content: bytes, *, etag: str = ETAG) -> Answer:
    """Serve a file properly: ranges, and If-Range as RFC 9110 has it."""
    return cut(content, len(content), etag=etag)


def cut(content: bytes, count: int, *, etag: str = ETAG) -> Answer:
    """Promise everything that is asked for, send at most `count` bytes and go away."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        is_same = handler.headers.get("If-Range", etag) == etag
        tag = {"ETag": etag} if etag else {}
        if asked and is_same:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            rest = content[begin:]
            part = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            handler.start(206, Content_Length=len(rest), Content_Range=part, **tag)
        else:
            rest = content
            handler.start(200, Content_Length=len(rest), **tag)
        handler.wfile.write(rest[:count])

    return answer


def deaf(content: bytes, count: int) -> Answer:
    """Send from the start whatever range is asked for, at most `count` bytes."""

    def answer(handler: Handler) -> None:
        handler.start(200, Content_Length=len(content))
        handler.wfile.write(content[:count])

    return answer


def status(code: int, **headers: object) -> Answer:
    return lambda handler: handler.start(code, Content_Length=0, **headers)


def redirect(to: str) -> Answer:
    return status(302, Location=to)


def stall(content: bytes, count: int, seconds: float) -> Answer:
    """Send the first bytes, and then nothing for a while."""

    def answer(handler: Handler) -> None:
        handler.start(200, Content_Length=len(content), ETag=ETAG)
        handler.wfile.write(content[:count])
        handler.wfile.flush()
        threading.Event().wait(seconds)

    return answer


def raw(*chunks: bytes, again: bytes = b"", pause: float = 0.0) -> Answer:
    """Send just these bytes; then, if `again` is given, that until the client goes away."""

    def answer(handler: Handler) -> None:
        for chunk in chunks:
            handler.wfile.write(chunk)
        while again:
            handler.wfile.write(again)
            threading.Event().wait(pause)

    return answer
