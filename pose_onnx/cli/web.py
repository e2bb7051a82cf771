"""Serve a page that finds people in the browser, in pictures, videos and the webcam. All data stays local.

Needs onnxruntime-web; install it once with: npm install onnxruntime-web
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pose_onnx import DependencyError, InputError, OutputError
from pose_onnx.cards.lookup import resolve_model
from pose_onnx.cli._interrupt import uninterrupted
from pose_onnx.cli._options import add_pair_options
from pose_onnx.files import write_folder
from pose_onnx.pairs import find_pair

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8000
HIGHEST_PORT: Final = 65535
PACKAGE: Final = "onnxruntime-web"
DEMO_PHOTO: Final = "astronaut.jpg"
_REMEDY: Final = f"run `npm install {PACKAGE}` here, or give its folder with --runtime"
_PAGE_SUFFIXES: Final = (".html", ".css", ".mjs", ".svg")
_RUNTIME_FILES: Final = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
"""What the page loads of onnxruntime-web, a third of it; the last three only where there is WebGPU."""
# Cross-origin isolation: browsers give WebAssembly threads only to isolated pages.
HEADERS: Final = (
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),  # revalidate each time, so that no old model stays
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx web`."""
    add = parser.add_argument
    add(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        metavar="N",
        help="port on localhost, 0 for any free one (default: %(default)s)",
    )
    add(
        "--out",
        metavar="DIR",
        help="write the page's files to this folder, for any web server, instead of serving them",
    )
    add("--overwrite", action="store_true", help="replace existing files in that folder")
    add(
        "--runtime",
        metavar="DIR",
        help=f"folder of {PACKAGE} (default: in node_modules here or in a parent folder)",
    )
    add_pair_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx web`."""
    if not 0 <= args.port <= HIGHEST_PORT:
        raise InputError(f"--port {args.port} was given; it must be 0 to {HIGHEST_PORT}")
    site = _site(args)
    if args.out:
        _check_new(site, Path(args.out), overwrite=args.overwrite)
        write_folder(Path(args.out), site)
        print(f"{args.out}: serve it with the headers that docs/web.md names")
        return 0
    with _temporary_folder() as folder:
        write_folder(folder, site)
        _serve(folder, args.port)
    return 0


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Yield a temporary folder that is always deleted, even after repeated Ctrl-C or SIGTERM."""
    folder = tempfile.TemporaryDirectory(prefix="pose-onnx-web-")
    try:
        yield Path(folder.name)
    finally:
        with uninterrupted():
            folder.cleanup()


def _site(args: argparse.Namespace) -> dict[str, bytes]:
    """Return all files of the page by path, so that a missing one is reported first."""
    from pose_onnx.exporters.end_to_end import end_to_end_bytes  # noqa: PLC0415 (heavy)

    runtime = _runtime_folder(args.runtime)
    pair = find_pair(args.quality)
    names = args.detector or pair.detector, args.pose or pair.pose
    detector, pose = (resolve_model(name, precision=args.precision) for name in names)
    return {
        **{f"ort/{name}": (runtime / name).read_bytes() for name in _RUNTIME_FILES},
        "models/detector.onnx": end_to_end_bytes(detector, "detect"),
        "models/pose.onnx": end_to_end_bytes(pose, "keypoints"),
        f"photos/{DEMO_PHOTO}": (files("pose_onnx.models") / "photos" / DEMO_PHOTO).read_bytes(),
        **{
            file.name: file.read_bytes()
            for file in files("pose_onnx.web").iterdir()
            if file.name.endswith(_PAGE_SUFFIXES)
        },
    }


def _runtime_folder(given: str | None) -> Path:
    """Return the folder of onnxruntime-web's files.

    Raises:
        InputError: It is not where `--runtime` says.
        DependencyError: It is not installed.
    """
    here = Path.cwd()
    # As Node looks for packages; --runtime may name the package, its files, or where npm was run.
    roots = (
        [Path(given)] if given else [folder / "node_modules" / PACKAGE for folder in (here, *here.parents)]
    )
    inside = [".", "dist", f"node_modules/{PACKAGE}/dist"] if given else ["dist"]
    for folder in (root / name for root in roots for name in inside):
        if all((folder / name).is_file() for name in _RUNTIME_FILES):
            return folder
    if given:
        raise InputError(
            f"--runtime {given!r} does not hold {', '.join(_RUNTIME_FILES)} of {PACKAGE}; {_REMEDY}"
        )
    raise DependencyError(
        f"{PACKAGE}, which runs models in a browser, was not found from {str(here)!r} upwards; {_REMEDY}"
    )


def _check_new(site: dict[str, bytes], folder: Path, *, overwrite: bool) -> None:
    """Refuse to replace files that this tool did not write.

    Raises:
        InputError: Such a file exists and must not be replaced.
    """
    there = [str(folder / name) for name in site if (folder / name).exists()]
    if there and not overwrite:
        raise InputError(f"{there[0]!r} already exists; give another folder, or --overwrite")


def _serve(folder: Path, port: int) -> None:
    """Serve a folder on localhost until Ctrl-C.

    Raises:
        OutputError: The port is taken, or not permitted.
    """
    try:
        server = _Server((HOST, port), functools.partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise OutputError(
            f"port {port} cannot be used ({error.strerror}); give another with --port, or 0 for any free one"
        ) from error
    with server:
        print(f"http://{HOST}:{server.server_port}/ (Ctrl-C stops)", flush=True)
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that disconnects in the middle of a file."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    # In full, as the machine's own table may be wrong (Windows keeps it in the registry).
    extensions_map = {  # noqa: RUF012 (as the base class has it)
        ".css": "text/css",
        ".html": "text/html; charset=utf-8",
        ".jpg": "image/jpeg",
        ".mjs": "text/javascript",
        ".onnx": "application/octet-stream",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS:
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        """Do not log requests; errors are shown on the page."""
