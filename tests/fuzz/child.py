"""Read foreign bytes in a child process with limits: what a reader does there cannot hurt the tests.

A server process imports the reader once and forks for every case, so a case costs milliseconds and a crash
ends nothing but its own fork.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from pose_onnx.errors import PoseOnnxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MEMORY: Final = 2 * 2**30
"""Bytes that reading one case may take."""
SECONDS: Final = 20.0
"""Time that reading one case may take; far more than any needs, so that a busy machine fails nothing."""
_ROOT: Final = Path(__file__).parents[2]
_POLL: Final = 0.002
# Threads of a library in the server would not survive its forks.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one case may take: bytes of memory, and seconds."""

    memory: int = MEMORY
    seconds: float = SECONDS


_USUAL: Final = Limits()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one case.

    Attributes:
        failure: Why it counts as a failure: a crash, a hang, too much memory, an exception that is not the
            package's; empty if it does not.
        refusal: The sentence with which the package refused it; empty if it was read.
    """

    failure: str = ""
    refusal: str = ""


def run_cases(reader: str, cases: Iterable[bytes], limits: Limits = _USUAL) -> Iterator[Verdict]:
    """Hand every case to a reader, each in a process of its own with limits of memory and time.

    Args:
        reader: `"module:function"` of a function of bytes, importable from the root of the repository. It
            returns if it could read them and raises a `PoseOnnxError` if it would not.
        cases: What to read.
        limits: For each case.
    """
    command = [sys.executable, "-m", "tests.fuzz.child", reader, str(limits.memory), str(limits.seconds)]
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        env=os.environ | _ONE_THREAD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin
        assert server.stdout
        for case in cases:
            pickle.dump(case, server.stdin)
            server.stdin.flush()
            yield Verdict(*pickle.load(server.stdout))
        server.stdin.close()


def _serve(reader: str, limits: Limits, cases: IO[bytes], verdicts: IO[bytes]) -> None:
    module, _, name = reader.partition(":")
    read = getattr(import_module(module), name)
    while True:
        try:
            case = pickle.load(cases)
        except EOFError:
            return
        pickle.dump(_read_in_fork(read, case, limits), verdicts)
        verdicts.flush()


def _read_in_fork(read: Callable[[bytes], Any], case: bytes, limits: Limits) -> tuple[str, str]:
    back, forth = os.pipe()
    child = os.fork()
    if not child:
        os.close(back)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with os.fdopen(forth, "wb") as pipe:
            pickle.dump(_outcome(read, case), pipe)
        os._exit(0)
    os.close(forth)
    with os.fdopen(back, "rb") as pipe:
        if broken := _wait(child, limits):
            return broken, ""
        verdict: tuple[str, str] = pickle.load(pipe)
        return verdict


def _outcome(read: Callable[[bytes], Any], case: bytes) -> tuple[str, str]:
    try:
        read(case)
    except PoseOnnxError as error:
        return "", str(error) or "a refusal without a word"
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the fuzzer looks for
        # The end says where; all of it could fill the pipe, which nobody reads before the child has ended.
        return f"{type(error).__name__}: {error}"[:500] + traceback.format_exc()[-2_000:], ""
    return "", ""


def _wait(child: int, limits: Limits) -> str:
    """Wait for a child within the limits; return what was wrong, "" if it ended well."""
    end = time.monotonic() + limits.seconds
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            if os.WIFSIGNALED(status):
                return f"it ended by signal {signal.Signals(os.WTERMSIG(status)).name}"
            if os.WEXITSTATUS(status):
                return f"it ended with exit code {os.WEXITSTATUS(status)}"
            return "" if usage.ru_maxrss * 1024 <= limits.memory else f"it took {usage.ru_maxrss >> 10} MiB"
        problem = "it took too long" if time.monotonic() > end else _oversize(child, limits)
        if problem:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return problem
        time.sleep(_POLL)


def _oversize(child: int, limits: Limits) -> str:
    pages = int(Path(f"/proc/{child}/statm").read_text(encoding="ascii").split()[1])
    used = pages * resource.getpagesize()
    return "" if used <= limits.memory else f"it took {used >> 20} MiB"


if __name__ == "__main__":
    # What a module prints when it is imported must not get between the verdicts.
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.argv[1], Limits(int(sys.argv[2]), float(sys.argv[3])), sys.stdin.buffer, channel)
