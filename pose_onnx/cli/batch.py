"""Find people in many pictures and videos, on many workers; write the results as Parquet files."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pose_onnx.cli._exits import exit_code
from pose_onnx.cli._options import add_estimator_options, estimator_arguments
from pose_onnx.cli._tables import count
from pose_onnx.core.opencv import cv2

if TYPE_CHECKING:
    from pose_onnx.ray import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pose-onnx batch`."""
    add = parser.add_argument
    add(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="pictures, videos, or folders of them: paths, or addresses such as s3://bucket/photos",
    )
    add(
        "--out",
        required=True,
        metavar="DIR",
        help=(
            "path or address of the folder for the Parquet files; items that already have rows there are "
            "skipped"
        ),
    )
    add("--recursive", action="store_true", help="also look into subfolders")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="number of worker processes (default: number of CPUs divided by --threads)",
    )
    add(
        "--address",
        metavar="ADDR",
        help="address of a Ray cluster (default: RAY_ADDRESS, or a local Ray for this job)",
    )
    add("--retry-failed", action="store_true", help="repeat items that have an error in the table")
    add_estimator_options(parser, threads=1)


def run(args: argparse.Namespace) -> int:
    """Run `pose-onnx batch`."""
    from tqdm import tqdm  # noqa: PLC0415 (only some verbs show a bar)

    from pose_onnx.ray import run_batch  # noqa: PLC0415 (an extra)

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damaged pictures are named by us
    options = estimator_arguments(args)
    with tqdm(unit="item", disable=None) as bar:

        def show(report: Report) -> None:
            bar.total = report.total
            bar.update(report.done - bar.n)
            bar.set_postfix(people=report.people, failed=report.failed)

        report = run_batch(
            args.inputs,
            args.out,
            workers=args.workers,
            address=args.address,
            retry_failed=args.retry_failed,
            recursive=args.recursive,
            progress=show,
            **options,
        )
    return _close(report, args.out)


def _close(report: Report, out: str) -> int:
    """Print the outcome of this job and of earlier ones."""
    before = f" ({report.before} were done earlier)" if report.before else ""
    people = count(report.people, "person", "people")
    print(f"{count(report.done, 'item')}{before}, {people}: {out}")
    if report.skipped:
        print(f"skipped: {report.skipped}")
    total = report.done + report.before
    if failed := report.failed + report.failed_before:
        print(
            f"pose-onnx: {failed} of {count(total, 'item')} failed; the column 'error' says why, and "
            "--retry-failed repeats them",
            file=sys.stderr,
        )
    return exit_code(total - failed, failed)
