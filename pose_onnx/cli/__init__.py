"""The command line: `pose-onnx VERB ...`, one file per verb. Only this part of the package prints.

Exit codes: 0 success; 1 some pictures could not be used, or files differ; 2 nothing could be done; 130
stopped by Ctrl-C; 141 the reader of the output closed it; 143 stopped by SIGTERM.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx import PoseOnnxError, __version__
from pose_onnx.cli._exits import EXIT_NOTHING_DONE, code_of_stop
from pose_onnx.cli._interrupt import terminated_as_by_ctrl_c
from pose_onnx.cli._parser import Parser

# Each is the module of that name here, with `add_arguments(parser)` and `run(args) -> int`.
VERBS: Final = MappingProxyType(
    {
        "demo": "find the people in two bundled photos",
        "run": "find people and their keypoints in pictures",
        "video": "track people through a video, a camera or a stream",
        "batch": "find people in many pictures and videos, on many workers",
        "web": "serve a page that finds people in the browser",
        "bench": "measure where the time per picture goes, for several engines",
        "models": "list the known models and which are on this machine",
        "info": "show what a model file is",
        "verify": "compare files of one model with each other, stage by stage",
        "eval": "measure COCO average precision",
        "export": "convert a Paddle model to ONNX and TFLite",
    }
)

EXIT_ERROR: Final = EXIT_NOTHING_DONE
EXIT_BROKEN_PIPE: Final = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Command-line arguments; those of the process if `None`.

    Returns:
        The exit code of the process.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # any file name can be printed, as on stderr
    try:
        with terminated_as_by_ctrl_c():
            args = _parser(words).parse_args(words)  # imports the verb, which takes a while
            code: int = args.run(args)
            sys.stdout.flush()  # here, where a closed pipe is handled
    except PoseOnnxError as error:
        print(f"pose-onnx: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt as error:
        print("pose-onnx: stopped", file=sys.stderr)
        return code_of_stop(error)
    except BrokenPipeError:
        # Python flushes stdout again when it exits, so it must still be valid.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:  # a folder that may not be listed, a name that is too long, ...
        print(f"pose-onnx: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    return code


def _open_closed_streams() -> None:
    """Open standard streams that the process was started without: nothing is read, and prints go nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (until the end)


def _parser(words: Sequence[str]) -> Parser:
    """Return the parser of all verbs, with the options of the given verb, the only one that is imported."""
    parser = Parser(prog="pose-onnx", description="Paddle's human pose models on ONNX Runtime and TFLite.")
    parser.add_argument("--version", action="version", version=f"pose-onnx {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb, summary in VERBS.items():
        sub = verbs.add_parser(verb, help=summary, description=summary)
        if verb in words:
            module = import_module(f"pose_onnx.cli.{verb}")
            module.add_arguments(sub)
            sub.description = module.__doc__
            sub.set_defaults(run=module.run)
    return parser
