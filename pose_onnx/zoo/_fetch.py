"""Download one file over HTTP with mirrors, retries and resuming; only an accepted file gets its name."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urldefrag, urlsplit

from pose_onnx.addresses import redacted
from pose_onnx.errors import DownloadError, InputError, ModelFileError
from pose_onnx.files import make_folder
from pose_onnx.zoo._http import FinalError, Limits, PassingError
from pose_onnx.zoo._part import Advance, Part, attempt
from pose_onnx.zoo._store import publish

log = logging.getLogger(__name__)

MIRROR_VARIABLE: Final = "POSE_ONNX_MIRROR"
"""Environment variable: mirrors, separated by spaces, tried first in place of scheme and host."""
OFFLINE_VARIABLE: Final = "POSE_ONNX_OFFLINE"
"""Environment variable: any value except "" and "0" forbids connections."""
_LONGEST: Final = 1e6
"""Seconds; about eleven days, which no system's clock overflows at."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits for the retries and waits of a download.

    Attributes:
        attempts: Attempts at one address without a new byte before the next address is tried.
        first_wait: Seconds before the second attempt; doubled each time.
        longest_wait: Maximum number of seconds between two attempts.
        timeout: Seconds without an answer, or without a byte, that end an attempt.
        total: Seconds for all attempts at one address together; also stops a server that sends very slowly.

    Raises:
        InputError: The number of attempts or a time is too low, or a time is above 1,000,000 s.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    timeout: float = 30.0
    total: float = 3600.0

    def __post_init__(self) -> None:
        waits = (self.first_wait, self.longest_wait, self.timeout, self.total)
        in_range = all(0 <= seconds <= _LONGEST for seconds in waits)
        if self.attempts < 1 or not in_range or not (self.timeout and self.total):
            raise InputError(
                f"{self.attempts} attempts with a timeout of {self.timeout} s, {self.total} s in total and "
                f"waits of {self.first_wait} to {self.longest_wait} s are not possible; give 1 or more "
                f"attempts, a timeout and a total above 0, and at most {_LONGEST:,.0f} s"
            )

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after some failures: exponential, with jitter to spread clients."""
        longest = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 99))
        return random.uniform(longest / 2, longest)  # noqa: S311 (no secret)


def is_offline() -> bool:
    """Return whether the environment forbids connections."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip() not in {"", "0"}


def addresses(url: str) -> tuple[str, ...]:
    """Return the addresses to fetch a file from: the mirrors of the environment, then its own address.

    Raises:
        InputError: An address is not HTTP.
    """
    url, _ = urldefrag(url)  # the fragment is the file's name
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    mirrors = [mirror.rstrip("/") + path for mirror in os.environ.get(MIRROR_VARIABLE, "").split()]
    for address in (*mirrors, url):
        if not _is_http(address):
            raise InputError(
                f"{redacted(address)!r} is not an address to download from; {MIRROR_VARIABLE} and a card's "
                "download must start with https:// or http:// and a host, without user and password"
            )
    return tuple(dict.fromkeys([*mirrors, url]))


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        # urllib treats user and password as part of the host name and shows them in its errors.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:  # brackets that are not IPv6 address
        return False


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    accept: Callable[[Path], object],
    policy: Policy | None = None,
    progress: bool = False,
) -> None:
    """Download a file. A partial download is kept after an interruption and continued.

    Only one process may fetch to the same target at a time (`Store.locked`).

    Args:
        urls: addresses of the file, best first.
        target: path of the downloaded file.
        accept: called with the path of the complete file, which keeps the suffix; raises ModelFileError if
            the file is wrong.
        policy: limits for retries and waits.
        progress: show a progress bar if there is a terminal.

    Raises:
        DownloadError: No address provides the right file; the message gives the reason for each.
        OutputError: The folder cannot be written.
    """
    if is_offline():
        raise DownloadError(
            f"{str(target)!r} does not exist, and {OFFLINE_VARIABLE} forbids downloading it; unset that "
            "variable, or copy a folder that pose-onnx models pull NAME --dest DIR made on another "
            "machine, and name it in POSE_ONNX_HOME"
        )
    make_folder(target.parent)
    part, reasons = Part(target), []
    for url in urls:
        try:
            with _bar(target.name, show=progress) as advance:
                _fetch_from(url, part, accept, policy or Policy(), advance)
        except FinalError as error:  # noqa: PERF203 (a download is slower than that)
            log.warning("%s: %s", redacted(url), error)
            reasons.append(f"{redacted(url)}: {error}")
        else:
            publish(part.path, target)
            part.discard()
            return
    raise DownloadError(
        f"{target.name!r} cannot be downloaded ({'; '.join(reasons)}); try again later, or name another "
        f"place in {MIRROR_VARIABLE}"
    )


@contextlib.contextmanager
def _bar(name: str, *, show: bool) -> Iterator[Advance]:
    from tqdm import tqdm  # noqa: PLC0415 (not needed to import this package)

    with tqdm(desc=name, unit="B", unit_scale=True, unit_divisor=1024, disable=None if show else True) as bar:

        def advance(size: int, total: int | None) -> None:
            bar.total = total
            bar.update(size - bar.n)

        yield advance


def _fetch_from(
    url: str, part: Part, accept: Callable[[Path], object], policy: Policy, advance: Advance
) -> None:
    """Try one address until the file is complete and accepted, or too many attempts bring no new byte.

    Raises:
        FinalError: This address does not provide the file.
    """
    limits = Limits(policy.timeout, policy.total, time.monotonic() + policy.total)
    failures, most = 0, part.size
    while True:
        resumed = False
        try:
            resumed = attempt(url, part, limits, advance)
            accept(part.path)
        except ModelFileError as error:
            part.discard()
            if not resumed:  # if resumed, the two parts may not match, so try the whole file once more
                raise FinalError(str(error)) from error
            reason, asked = str(error), 0.0
        except PassingError as error:
            reason, asked = str(error), error.wait
        else:
            return
        failures = 1 if part.size > most else failures + 1
        most = max(most, part.size)
        if failures >= policy.attempts:
            raise FinalError(f"{reason}, in {failures} attempts")
        log.info("%s: %s; trying again", redacted(url), reason)
        time.sleep(min(max(asked, policy.wait(failures)), policy.longest_wait))
