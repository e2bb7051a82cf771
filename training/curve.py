"""Accuracy against training time: from the logs of runs to `curve.json`, a picture and tables.

`python -m training.curve training/checkpoints/curve.json NAME=RUN ...` appends every evaluation of a run
after the last point of that name, so that a run that starts from earlier weights continues their curve.
Without runs, it only remakes the picture and the tables.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final, TypeAlias

METRICS: Final = ("AP", "mAP")
COLUMNS: Final = ("samples", "minutes", "cpu_minutes")  # counted from the start of the first run
PICTURE_INCHES: Final = (7.0, 4.0)

Point: TypeAlias = dict[str, float]


def points(run: Path, after: Point | None = None) -> list[Point]:
    """Every evaluation of a run: samples seen, minutes, CPU minutes, accuracy in percent.

    Args:
        run: Folder of `training.train`.
        after: The last point of the run that this one continues.
    """
    before = after or dict.fromkeys(COLUMNS, 0)
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        {
            **{column: round(before[column] + row[column], 1) for column in COLUMNS},
            metric: round(row[metric], 1),
        }
        for row in rows
        for metric in METRICS
        if metric in row
    ]


def table(name: str, rows: list[Point]) -> str:
    """Markdown table of the evaluations of one model."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---:" for _ in heads) + " |"]
    lines += ["| " + " | ".join(f"{row[head]:g}" for head in heads) + " |" for row in rows]
    return f"{name}:\n\n" + "\n".join(lines) + "\n"


def draw(curves: dict[str, list[Point]], path: Path) -> None:
    """Draw accuracy against CPU minutes, one line per model."""
    import matplotlib as mpl  # noqa: PLC0415 (only needed here)
    from matplotlib.figure import Figure  # noqa: PLC0415

    # Text stays text and ids are fixed, so that the same numbers give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "curve"})
    figure = Figure(figsize=PICTURE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for name, rows in curves.items():
        (metric,) = set(rows[0]) - set(COLUMNS)
        minutes, accuracy = ([row[key] for row in rows] for key in ("cpu_minutes", metric))
        axes.plot(minutes, accuracy, marker="o", label=f"{name}: {metric}")
    axes.set(xlabel="CPU minutes", ylabel="percent, on 360 photos of COCO val2017", ylim=(0, None))
    axes.grid(visible=True)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curve", type=Path, help="JSON file to go on with; the picture lies beside it")
    parser.add_argument("runs", nargs="*", metavar="NAME=RUN", help="folders of training.train")
    args = parser.parse_args()
    curves: dict[str, list[Point]] = json.loads(args.curve.read_text()) if args.curve.exists() else {}
    for name, folder in (run.split("=", 1) for run in args.runs):
        known = curves.setdefault(name, [])
        known += points(Path(folder), known[-1] if known else None)
    args.curve.write_text(json.dumps(curves, indent=1) + "\n")
    draw(curves, args.curve.with_suffix(".svg"))
    for name, rows in curves.items():
        print(table(name, rows))


if __name__ == "__main__":
    main()
