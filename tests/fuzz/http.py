"""Hostile HTTP replies for downloads: random statuses, lengths, ranges, ETags, redirects, endings and bytes.

`python -m tests.fuzz.http [REPLIES [FIRST_SEED]]` tries many.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from pose_onnx.errors import ModelFileError
from pose_onnx.zoo import Policy, _part
from pose_onnx.zoo._fetch import fetch
from tests.fuzz.seeds import try_many

READER: Final = "tests.fuzz.http:read_seed"
POLICY: Final = Policy(attempts=3, first_wait=0, longest_wait=0.01, timeout=0.2, total=0.6)
SIZE: Final = 100_000
"""Bytes of every version of the file."""
LIMIT: Final = 1 << 20
"""Bytes of a file here; less than in earnest, so that a body without an end soon has too much."""
vars(_part)["MEMORY"] = LIMIT
LONGEST_HEAD: Final = 1000
"""Letters of one version that a head may hold; it holds more of others."""
VERSIONS: Final = b"ab"
"""Each version of the file is one of these bytes, again and again, so that halves of two are seen."""
NUMBERS: Final = (
    "0",
    "1",
    "-1",
    "1e9",
    str(SIZE),
    str(2 * SIZE),
    str(1 << 62),
    "9" * 5000,
    "",
    "\u0663",
    "0x10",
)
STATUSES: Final = (
    *("206 Partial Content", "200 OK") * 6,
    *("301 M", "302 F", "303 S", "307 T", "308 P") * 2,
    *("100 Continue", "101 S", "204 No Content", "304 N", "404 N", "416 R", "429 T", "500 I", "503 S"),
    *("999 ", "2000 OK", "-1 OK", "\x1b[31m"),
)
PLACES: Final = (
    *("/again", "http://127.0.0.1:{port}/", "//127.0.0.1:{port}", "?", "#", "") * 2,
    *(
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "data:,x",
        "http://[",
        "http://[::1]:99999/",
        "http://:/",
        "//",
    ),
    *("http://" + "a" * 300, "http://127.0.0.1:x/", "http://a b/", "\x00\x1b[31m", "x" * 70_000, "\u2028"),
)


_look_up = socket.getaddrinfo


def _only_here(host: Any, *args: Any, **options: Any) -> Any:
    """Know this machine's addresses only: a redirect may name any host, and nobody shall be asked for it."""
    if host not in {"127.0.0.1", "::1"}:
        raise socket.gaierror(socket.EAI_NONAME, "no such host here")
    return _look_up(host, *args, **options)


socket.getaddrinfo = _only_here


def read_seed(case: bytes) -> None:
    """Download from a server that gives random replies; fail if halves of two versions become one file."""
    rng = random.Random(int(case))  # noqa: S311 (no secret)
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=_serve, args=(server, rng), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/file.bin"
        target = Path(folder, "file.bin")
        try:
            fetch([url], target, accept=_demand_bytes, policy=POLICY)
        finally:
            sizes = [path.stat().st_size for path in Path(folder).iterdir()]
            assert sum(sizes) <= LIMIT + 1000
            if target.exists():
                content = target.read_bytes()
                # A changed head may end early, and its letters be the start of the content.
                assert min(map(content.count, VERSIONS)) < LONGEST_HEAD, "halves of two versions"


def _demand_bytes(path: Path) -> None:
    if path.stat().st_size < SIZE // 2:
        raise ModelFileError("it is too short")


def _serve(server: socket.socket, rng: random.Random) -> None:
    with contextlib.suppress(OSError):  # of the socket, closed at the end
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                request = connection.recv(1 << 16)
                asked = re.search(rb"Range: bytes=(\d+)-", request)
                _reply(connection, rng, int(asked[1]) if asked else 0, server.getsockname()[1])


def _reply(connection: socket.socket, rng: random.Random, begin: int, port: int) -> None:
    version = rng.choice(VERSIONS)
    head = bytearray(_head(rng, version, begin, port).encode())
    if rng.random() < 0.1:
        for _ in range(rng.randint(1, 8)):
            head[rng.randrange(len(head))] = rng.randrange(256)
    connection.sendall(head)
    body = bytes([version]) * (SIZE - begin)
    if b"chunked" in head:
        body = b"%x\r\n%s\r\n" % (len(body), body) + b"0\r\n"
    kind = rng.choice(("whole", "whole", "whole", "short", "short", "long", "endless", "drip"))
    cut = rng.randrange(len(body)) if kind in {"short", "drip"} else len(body)
    connection.sendall(body[:cut])
    again, pause = {"endless": (bytes([version]) * 5000, 0.0), "drip": (bytes([version]), 0.05)}.get(
        kind, (b"", 0)
    )
    connection.sendall(bytes([version]) * 777 if kind == "long" else b"")
    while again:
        connection.sendall(again)
        threading.Event().wait(pause)


def _head(rng: random.Random, version: int, begin: int, port: int) -> str:
    etag = '"' + chr(version) * 20 + '"'  # which no change of a few bytes turns into the other's
    rest, end = SIZE - begin, SIZE - 1
    fields = [
        f"Content-Length: {rest}",
        f"Content-Range: bytes {begin}-{end}/{SIZE}",
        f"ETag: {etag}",
    ]
    strange = [
        f"ETag: {rng.choice((etag, 'W/' + etag, chr(version), ''))}",
        f"Content-Range: bytes {rng.choice(NUMBERS)}-{rng.choice(NUMBERS)}/{rng.choice(NUMBERS)}",
        f"Content-Length: {rng.choice(NUMBERS)}",
        "Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT",
        f"Retry-After: {rng.choice(NUMBERS)}",
        "Transfer-Encoding: chunked",
        "Content-Encoding: gzip",
        "X: " + "x" * rng.choice((1, 60_000, 70_000)),
        "\r\n".join(["Y: y"] * rng.choice((1, 90, 200))),
        "without a colon",
        " folded",
        "Connection: keep-alive",
    ]
    status = "206 Partial Content" if begin else "200 OK"
    if rng.random() < 0.5:
        fields = [field for field in fields if rng.random() < 0.9] + rng.sample(strange, rng.randint(0, 3))
        fields.append("Location: " + rng.choice(PLACES).replace("{port}", str(port)))
        rng.shuffle(fields)
        status = rng.choice(STATUSES)
    return "\r\n".join([f"HTTP/1.{rng.choice('1110')} {status}", *fields, "", ""])


if __name__ == "__main__":
    sys.exit(try_many(READER))
