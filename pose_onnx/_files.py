"""Writing files so that a reader sees the whole new file or none of it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from pose_onnx._errors import OutputError


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` under a temporary name in the same folder, then rename it to `path`.

    Raises:
        OutputError: The folder is missing or read-only, the disk is full, ...; nothing is left behind.
    """
    target = Path(path)
    # Not tempfile: its files are readable by their owner only, whatever the umask says.
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        part.replace(target)
    except OSError as error:
        raise OutputError(_cannot_write(target, error)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder for results, with its parents; one that exists is fine.

    Raises:
        OutputError: It cannot be created, or a file has its name.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(_cannot_write(folder, error)) from error
    return folder


def _cannot_write(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{str(path)!r} cannot be written ({reason}); choose a writable folder with free space"
