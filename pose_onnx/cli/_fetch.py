"""Pictures on servers, for `pose-onnx run`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Final
from urllib.parse import urlsplit

from pose_onnx.addresses import redacted, redacted_in
from pose_onnx.budget import MEMORY
from pose_onnx.core.picture_sizes import LONGEST_START, is_picture
from pose_onnx.errors import InputError
from pose_onnx.zoo._http import FinalError, Limits, PassingError, failures, get

_TIMEOUT_S: Final = 10.0
_TOTAL_S: Final = 120.0


def fetch(address: str) -> bytes:
    """Return the reply of a server, limited to one byte more than the budget.

    Raises:
        InputError: The server does not reply, or not in time.
    """
    with _reply(address) as reply:
        data = reply.read(MEMORY + 1)
        if reply.length and len(data) <= MEMORY:
            raise PassingError(
                f"the connection ended after {len(data):,} bytes, with {reply.length:,} bytes missing"
            )
        return data


def begins_as_picture(address: str) -> bool:
    """Return whether a server sends a picture, by its first bytes; also if it sends nothing (see `fetch`)."""
    if _has_user(address):
        return False
    try:
        with _reply(address) as reply:
            return is_picture(reply.read(LONGEST_START))
    except InputError:
        return True


@contextmanager
def _reply(address: str) -> Iterator[HTTPResponse]:
    if _has_user(address):
        raise InputError(
            f"{redacted(address)!r} contains a user or a password, which are not sent for pictures; "
            "download the picture first, and give the file"
        )
    limits = Limits(_TIMEOUT_S, _TOTAL_S, time.monotonic() + _TOTAL_S)
    try:
        with failures(), get(address, {"User-Agent": "pose-onnx"}, limits) as reply:
            yield reply
    except (FinalError, PassingError) as error:
        reason = redacted_in(str(error), address)
        raise InputError(f"{redacted(address)!r} cannot be fetched ({reason}); check the address") from error


def _has_user(address: str) -> bool:
    return urlsplit(address).username is not None
