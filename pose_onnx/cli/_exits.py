"""Exit codes that several verbs share; the others are in `pose_onnx.cli`."""

from __future__ import annotations

from typing import Final

from pose_onnx.cli._interrupt import Terminated

EXIT_SOME_FAILED: Final = 1
EXIT_NOTHING_DONE: Final = 2
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells do
EXIT_TERMINATED: Final = 143  # 128 + SIGTERM


def code_of_stop(error: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was stopped by Ctrl-C or SIGTERM."""
    return EXIT_TERMINATED if isinstance(error, Terminated) else EXIT_INTERRUPTED


def exit_code(done: int, failed: int) -> int:
    """Return the exit code of a command that worked on many items.

    Args:
        done: How many went well.
        failed: How many did not.
    """
    if not failed:
        return 0
    return EXIT_SOME_FAILED if done else EXIT_NOTHING_DONE
