"""Accuracy against training time: from the logs of runs to `curve.json` and a table."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

METRICS: Final = ("AP", "mAP")
COLUMNS: Final = ("samples", "minutes", "cpu_minutes")


def points(run: Path) -> list[dict[str, float]]:
    """Every evaluation of a run: samples seen, minutes, CPU minutes, accuracy in percent."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        {key: round(row[key], 1) for key in (*COLUMNS, metric)}
        for row in rows
        for metric in METRICS
        if metric in row
    ]


def table(name: str, rows: list[dict[str, float]]) -> str:
    """Markdown table of the evaluations of one run."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---:" for _ in heads) + " |"]
    lines += ["| " + " | ".join(f"{row[head]:g}" for head in heads) + " |" for row in rows]
    return f"{name}:\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER", help="runs of training.train")
    args = parser.parse_args()
    pairs = [run.split("=", 1) for run in args.runs]
    curves = {name: points(Path(folder)) for name, folder in pairs}
    args.out.write_text(json.dumps(curves, indent=1) + "\n")
    for name, rows in curves.items():
        print(table(name, rows))


if __name__ == "__main__":
    main()
