"""Manage the models on this machine: list, fetch official ones, add your own, find, check, remove."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pose_onnx import InputError, ModelFileError, card_names, load_card, models_home, resolve_model, zoo
from pose_onnx.addresses import redacted
from pose_onnx.cards.lookup import broken_cards, package_files
from pose_onnx.cli._tables import count, table
from pose_onnx.runtimes import BACKENDS

EXIT_DIFFERENT: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `pose-onnx models` and what can follow it."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", help="what to do (default: list)")
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
        help="precisions of the stored weights, separated by commas: fp32, fp16, int8-dynamic (default:"
        " %(default)s)",
    )


def _list(args: argparse.Namespace) -> int:
    del args
    heads = ("NAME", "TASK", "INPUT", "SIZE", "LICENCE", "STATE", "ACCURACY")
    print(table([heads, *map(_row, card_names())]))
    for problem in broken_cards():
        print(f"\nIgnored: {problem}")
    print(f"\nConverted models are kept in {models_home()}.")
    print(
        "Get an official one with: pose-onnx models pull NAME\n"
        "Register your own with: pose-onnx models add FILE --name NAME"
    )
    return 0


def _row(name: str) -> tuple[str, ...]:
    card = load_card(name)
    here = {backend: path for backend in BACKENDS if (path := _file_of(name, backend))}
    size = f"{next(iter(here.values())).stat().st_size / 1e6:.1f} MB" if here else "-"
    origin = "built in" if package_files(name) else "here"
    state = f"{origin}: {', '.join(here)}" if here else "not here"
    accuracy = card.published.partition(":")[0]  # the measured value; the publication follows it
    return name, card.task, card.input.describe(), size, card.license or "-", state, accuracy or "-"


def _file_of(name: str, backend: str) -> Path | None:
    try:
        return resolve_model(name, backend)
    except ModelFileError:
        return None


def _declare_pull(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+", help="official name of a model")
    parser.add_argument(
        "--dest", metavar="DIR", help="folder for the files (default: the folder of all models)"
    )
    _precision(parser)
    parser.add_argument(
        "--sha256",
        action="append",
        metavar="HEX",
        help="expected digest of the download, once for each name in the same order (default: the card's, "
        "or that of the first download)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")
    parser.add_argument(
        "--timeout",
        type=float,
        default=zoo.Policy().timeout,
        metavar="SECONDS",
        help="give up a connection after this long without data (default: %(default)s)",
    )
    parser.add_argument(
        "--total-timeout",
        type=float,
        default=zoo.Policy().total,
        metavar="SECONDS",
        help="give up an address that has not sent the whole file after this long (default: %(default)s)",
    )


def _pull(args: argparse.Namespace) -> int:
    policy = zoo.Policy(timeout=args.timeout, total=args.total_timeout)
    digests = args.sha256 or [""] * len(args.names)
    if len(digests) != len(args.names):
        raise InputError(
            f"{count(len(args.names), 'name')} and {count(len(digests), 'digest')} were given; give --sha256 "
            "once for each name, or not at all"
        )
    if args.dry_run:
        for name, sha256 in zip(args.names, digests, strict=True):
            plan = zoo.plan(name, dest=args.dest, precision=args.precision, sha256=sha256)
            print(_in_words(name, plan))
        return 0
    for name, sha256 in zip(args.names, digests, strict=True):
        files = zoo.pull(
            name, dest=args.dest, precision=args.precision, sha256=sha256, policy=policy, progress=True
        )
        print(*files, sep="\n")
    stored = [name for name in args.names if not package_files(name)]
    if args.dest and len(stored) < len(args.names):
        bundled = ", ".join(name for name in args.names if name not in stored)
        print(f"\nNot in {args.dest}, because it is bundled with pose-onnx: {bundled}")
    if args.dest and stored:
        print(f"\nTo use this folder anywhere: POSE_ONNX_HOME={args.dest}")
    return 0


def _in_words(name: str, plan: zoo.Plan) -> str:
    files = ", ".join(map(str, plan.files))
    if not plan.converts:
        return f"{name}: already here: {files}"
    fetching = f"fetch {' or '.join(map(redacted, plan.urls))}" if plan.urls else "use the earlier download"
    trust = f"SHA-256 {plan.sha256}" if plan.sha256 else "no SHA-256 is known: trusted if it fits the model"
    return f"{name}: {fetching} ({trust}), convert it to {files}"


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
    parser.add_argument(
        "file", metavar="FILE", help=".onnx, .tflite, .pdparams, .pth, .npz, or a Paddle folder"
    )
    parser.add_argument("--name", required=True, help="name for the model")
    card = parser.add_mutually_exclusive_group()
    card.add_argument("--card", metavar="FILE", help="card file (.json), if the file contains no card")
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
        "list": _Action("list the models, their inputs, and which are on this machine", _nothing, _list),
        "pull": _Action("fetch official models, convert them and keep the files", _declare_pull, _pull),
        "add": _Action("add a file of your own under a name", _declare_add, _add),
        "where": _Action("print the paths of a model's files", _one_name, _where),
        "check": _Action(
            "hash all files again and compare the digests with the recorded ones", _nothing, _check
        ),
        "remove": _Action("delete the files of a model", _one_name, _remove),
    }
)
