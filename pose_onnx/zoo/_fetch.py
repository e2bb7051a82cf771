"""Download one file over HTTP: several addresses, retries, resuming; only the right file gets the name.

From Python's own urllib: proxies of the environment, redirects and certificates come with it, and a handful
of files does not need the connection pool of a larger library.
"""

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
from urllib.parse import urlsplit

from pose_onnx.errors import DownloadError, InputError, ModelFileError
from pose_onnx.files import make_folder
from pose_onnx.zoo._http import Advance, FinalError, Part, PassingError, attempt
from pose_onnx.zoo._store import publish, sha256_of

log = logging.getLogger(__name__)

MIRROR_VARIABLE: Final = "POSE_ONNX_MIRROR"
"""Environment variable: addresses, separated by spaces, that are tried first, instead of scheme and host."""
OFFLINE_VARIABLE: Final = "POSE_ONNX_OFFLINE"
"""Environment variable: anything but "" and "0" forbids connections."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a download is.

    Attributes:
        attempts: At one address without a new byte, before the next address is tried.
        first_wait: Seconds before the second attempt; doubled each time.
        longest_wait: Seconds between two attempts at most.
        timeout: Seconds without an answer, or without a byte, that end an attempt.

    Raises:
        InputError: There is no attempt, or no time for it.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 < self.timeout < float("inf"):
            raise InputError(
                f"{self.attempts} attempts with a timeout of {self.timeout} s cannot be made; "
                "give 1 or more, and a timeout above 0"
            )

    def wait(self, failures: int) -> float:
        """Seconds after so many failures: exponential, with jitter so that many clients spread."""
        longest = min(self.longest_wait, self.first_wait * 2.0 ** (failures - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 (no secret)


def is_offline() -> bool:
    """Tell whether the environment forbids connections."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip() not in {"", "0"}


def addresses(url: str) -> tuple[str, ...]:
    """Return where a file may be fetched from: the mirrors of the environment, then its own address.

    Raises:
        InputError: One is no HTTP address.
    """
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    mirrors = [mirror.rstrip("/") + path for mirror in os.environ.get(MIRROR_VARIABLE, "").split()]
    for address in (*mirrors, url):
        if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
            raise InputError(
                f"{address!r} is no address to download from; {MIRROR_VARIABLE} and a card's download start "
                "with https:// or http:// and a host"
            )
    return tuple(dict.fromkeys([*mirrors, url]))


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    sha256: str = "",
    accept: Callable[[Path], object] = lambda path: path,
    policy: Policy | None = None,
    progress: bool = False,
) -> None:
    """Download a file. What was received before an interruption is kept and continued.

    Only one process may fetch to the same target at a time (`Store.locked`).

    Args:
        urls: where it is, best first.
        target: where it shall be.
        sha256: that it must have; any if empty.
        accept: called with the path of the whole file, which keeps the suffix; raises ModelFileError.
        policy: how patient to be.
        progress: draw a bar, if a terminal is there.

    Raises:
        DownloadError: No address gives the right file; says what was wrong with each.
        OutputError: The folder cannot be written.
    """
    if is_offline():
        raise DownloadError(
            f"{str(target)!r} is not here, and {OFFLINE_VARIABLE} forbids to download it; unset it, or copy a"
            " folder that pose-onnx models pull NAME --dest DIR made on another machine, and name it in"
            " POSE_ONNX_HOME"
        )
    make_folder(target.parent)
    part, reasons = Part(target), []
    for url in urls:
        try:
            with _bar(target.name, show=progress) as advance:
                _fetch_from(url, part, _check(sha256, accept), policy or Policy(), advance)
        except FinalError as error:  # noqa: PERF203 (a download is slower than that)
            log.warning("%s: %s", url, error)
            reasons.append(f"{url}: {error}")
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


def _check(sha256: str, accept: Callable[[Path], object]) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        if sha256 and (found := sha256_of(path)) != sha256:
            raise ModelFileError(f"it gave a file with SHA-256 {found}, but {sha256} is expected")
        accept(path)

    return check


def _fetch_from(
    url: str, part: Part, check: Callable[[Path], None], policy: Policy, advance: Advance
) -> None:
    """Try one address until the file is whole and right, or until it fails too often without a new byte.

    Raises:
        FinalError: This address does not give the file.
    """
    failures, most = 0, part.size
    while True:
        resumed = False
        try:
            resumed = attempt(url, part, policy.timeout, advance)
            check(part.path)
        except ModelFileError as error:
            part.discard()
            if not resumed:  # else the two parts may be of different files, and the whole is worth a try
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
        log.info("%s: %s; trying again", url, reason)
        time.sleep(min(max(asked, policy.wait(failures)), policy.longest_wait))
