"""The models on this machine: list them, fetch official ones, register your own, find, check, remove."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pose_onnx import ModelFileError, card_names, load_card, models_home, resolve_model, zoo
from pose_onnx.cli._tables import table
from pose_onnx.runtimes import BACKENDS

EXIT_DIFFERENT: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `pose-onnx models` and what can follow it."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", help="list, if none is given")
    for name, action in _ACTIONS.items():
        action.declare(actions.add_parser(name, help=action.summary, description=action.summary))


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx models`."""
    return _ACTIONS[args.action or "list"].run(args)


def _nothing(parser: argparse.ArgumentParser) -> None:
    del parser


def _one_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of a model")


def _precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        default="fp32",
        type=lambda text: tuple(text.split(",")),
        metavar="PRECISIONS",
        help="of the stored weights, comma-separated: fp32, fp16 (default: %(default)s)",
    )


def _list(args: argparse.Namespace) -> int:
    del args
    rows = [("NAME", "TASK", "INPUT", "HERE AS")]
    for name in card_names():
        card = load_card(name)
        height, width = card.input.size
        here = [backend for backend in BACKENDS if _is_here(name, backend)]
        rows.append((name, card.task, f"{height} x {width}", ", ".join(here) or "-"))
    print(table(rows))
    print(f"\nConverted models are looked for in {models_home()}.")
    print(
        "Get an official one with: pose-onnx models pull NAME\n"
        "Register your own with: pose-onnx models add FILE --name NAME"
    )
    return 0


def _is_here(name: str, backend: str) -> bool:
    try:
        resolve_model(name, backend)
    except ModelFileError:
        return False
    return True


def _declare_pull(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+", help="official name of a model")
    parser.add_argument("--dest", metavar="DIR", help="folder for the files (default: that of all models)")
    _precision(parser)
    parser.add_argument(
        "--timeout",
        type=float,
        default=zoo.Policy().timeout,
        metavar="SECONDS",
        help="give a connection up that is silent for so long (default: %(default)s)",
    )


def _pull(args: argparse.Namespace) -> int:
    policy = zoo.Policy(timeout=args.timeout)
    for name in args.names:
        files = zoo.pull(name, dest=args.dest, precision=args.precision, policy=policy, progress=True)
        print(*files, sep="\n")
    if args.dest:
        print(f"\nTo use this folder anywhere: POSE_ONNX_HOME={args.dest}")
    return 0


def _where(args: argparse.Namespace) -> int:
    files = zoo.where(args.name) or (resolve_model(args.name),)  # which says how to get it
    print(*files, sep="\n")
    return 0


def _check(args: argparse.Namespace) -> int:
    del args
    found = zoo.check()
    if not found:
        print(f"Nothing was pulled or added to {models_home()}.")
        return 0
    rows = [(item.state, item.model or "-", str(item.path)) for item in found]
    print(table([("STATE", "MODEL", "FILE"), *rows]))
    return EXIT_DIFFERENT if {item.state for item in found} & {"changed", "missing"} else 0


def _remove(args: argparse.Namespace) -> int:
    print(*(f"deleted {path}" for path in zoo.remove(args.name)), sep="\n")
    return 0


def _declare_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=".onnx, .tflite, .pdparams, .npz, or a Paddle folder")
    parser.add_argument("--name", required=True, help="name to give it")
    card = parser.add_mutually_exclusive_group()
    card.add_argument("--card", metavar="FILE", help="its card (.json), if it carries none")
    card.add_argument("--like", metavar="NAME", help="name of a model that it is run like")
    _precision(parser)


def _add(args: argparse.Namespace) -> int:
    card = load_card(args.card) if args.card else None
    files = zoo.add(args.file, args.name, card=card, like=args.like, precision=args.precision)
    print(*files, sep="\n")
    return 0


@dataclass(frozen=True, slots=True)
class _Action:
    summary: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


_ACTIONS: Final = MappingProxyType(
    {
        "list": _Action("names, what they take, and which are on this machine", _nothing, _list),
        "pull": _Action("fetch official models, convert and keep them", _declare_pull, _pull),
        "add": _Action("make a name of a file of your own", _declare_add, _add),
        "where": _Action("print the paths of a model's files", _one_name, _where),
        "check": _Action("hash all files again and compare with the pinned digests", _nothing, _check),
        "remove": _Action("delete the files of a model", _one_name, _remove),
    }
)
