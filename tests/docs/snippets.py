"""Run the snippets of a document as they are printed: `python -m tests.docs.snippets DOCUMENT FOLDER`.

Python blocks share their names and one copy of the folder, as a reader's session does. Each block of commands
has a copy of its own, and its lines run one after another. Before a snippet runs, its place is printed; one
that takes too long ends the process.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pose_onnx.cli import main

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 240
"""For one snippet, on a busy machine; what hangs, hangs for longer."""

CORES: Final = 2

NOT_HERE: Final = {
    r"python3 -m venv ": "installs from the network; the command line and the suite are tested as they are",
    r"pip install ": "installs from the network",
    r"npm install": "installs from the network; tests/end_to_end/test_node.py",
    r"^node ": "needs that installation; tests/end_to_end/test_node.py",
    r"^(tritonserver|python serve.py|echo .*base64|curl) ": "needs that server; tests/servers",
    r"pose-onnx (export|models pull|models add) ": "needs a checkpoint; tests/exporters, tests/zoo",
    r"POSE_ONNX_HOME=models-to-copy": "needs that download; tests/zoo/test_pull.py",
    r"--pose shop_pose": "needs what the line before it adds; tests/zoo/test_register.py",
    r"--calibration photos/": "belongs to the export of the line before it",
    r"\[options in the table\]| \.\.\.": "a form to be filled in",
    r"verify inference_folder": "needs a Paddle folder; tests/exporters/test_paddle_runtime.py",
    r"video 0 --show": "needs a camera and a screen",
    r"rtsp://": "needs a camera in the network",
    r"^cat .* \| pose-onnx run -$": "needs a shell; tests/cli/test_run_sources.py",
    r"s3://": "needs a bucket and a cluster",
    r"pose-onnx batch .*--workers 8": "starts 8 processes; docs/ray.md has one for each core",
    r"pose-onnx demo --official": "fetches models; tests/cli/test_demo.py",
    r"pose-onnx web": "serves until Ctrl-C; tests/end_to_end/test_web.py",
    r"pose-onnx bench ": "takes a minute; tests/cli/test_bench.py",
}
"""Lines of commands that cannot run here, as patterns, and why."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fenced block.

    Attributes:
        line: Where it begins in its document.
        language: "python" or "sh".
        text: What is in it.
    """

    line: int
    language: str
    text: str


def snippets_of(document: Path) -> Iterator[Snippet]:
    """Give the blocks of Python and of commands in a document."""
    text = document.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(python|sh)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Snippet(text.count("\n", 0, match.start()) + 2, match[1], match[2])


def commands_of(snippet: Snippet) -> Iterator[str]:
    """Give those lines of a block that can run here."""
    for line in snippet.text.splitlines():
        if line and reason_not_to_run(line) is None:
            yield line


def reason_not_to_run(line: str) -> str | None:
    """Say why a line cannot run here; `None` if it can."""
    return next((reason for pattern, reason in NOT_HERE.items() if re.search(pattern, line)), None)


def run_all(document: Path, prepared: Path) -> None:
    """Run every snippet of a document beside a copy of the prepared files."""
    session = _copy(prepared)
    os.chdir(session)  # where the workers of Ray are, too
    with _ray_of_two_cores() if document.name == "ray.md" else nullcontext():
        _run_all(document, prepared, session)


def _ray_of_two_cores() -> AbstractContextManager[None]:
    """Start one Ray for all snippets, as large as that of a small machine: there some would hang."""
    from pose_onnx.ray._session import ray_session  # noqa: PLC0415 (an extra)

    return ray_session("local", CORES)


def _run_all(document: Path, prepared: Path, session: Path) -> None:
    names: dict[str, Any] = {"__name__": document.stem}
    for snippet in snippets_of(document):
        print(f"{document.name}:{snippet.line}", flush=True)  # noqa: T201 (the last one is to blame)
        signal.alarm(LIMIT_S)  # ends the process, whatever it waits for
        if snippet.language == "python":
            os.chdir(session)
            exec(compile(snippet.text, f"{document.name}:{snippet.line}", "exec"), names)  # noqa: S102
        else:
            os.chdir(_copy(prepared))
            for line in commands_of(snippet):
                _run_command(line)
        signal.alarm(0)


def _run_command(line: str) -> None:
    program, *words = shlex.split(line, comments=True)
    assert program == "pose-onnx", f"{line!r} is not a command of ours; say in NOT_HERE why it cannot run"
    code = main(words)
    assert code == 0, f"{line!r} ended with exit code {code}"


def _copy(prepared: Path) -> Path:
    folder = Path(tempfile.mkdtemp(dir=prepared.parent))
    return Path(shutil.copytree(prepared, folder, dirs_exist_ok=True))


if __name__ == "__main__":
    run_all(Path(sys.argv[1]), Path(sys.argv[2]))
