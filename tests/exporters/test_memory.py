"""How much memory an export takes, in multiples of the weights."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from pose_onnx import load_card
from pose_onnx.exporters.templates import find_template

FEW, MANY = 100, 40_000
"""Classes of two networks, the second with 40 MB of weights: all in one layer, so that it runs quickly."""
LARGEST: Final = 6.5
"""Of the weights' size.

5.2 were measured: ONNX Runtime copies a weight that it rearranges, twice while it opens a file, and with all
weights in one tensor, each copy of a single tensor counts as one of all. They were 8.3 when the graph, its
protobuf and the file were in memory while an engine ran.
"""
EXPORT = """
import json, sys
from pose_onnx.exporters import export

def peak():  # not ru_maxrss, which a process inherits from the one that starts it
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))

peaks = []
for name in ("few", "many"):
    export(f"{name}.npz", card=f"{name}.json", out="out")
    peaks.append(peak())
print(json.dumps(peaks))
"""


def write_network(classes: int, file: Path) -> int:
    """Write an action model with random weights as a checkpoint and a card; return the weights' bytes."""
    card = replace(
        load_card("stgcn_pphuman"), name=file.stem, classes=tuple(f"action {i}" for i in range(classes))
    )
    template = find_template(card)
    assert template is not None
    rng = np.random.default_rng(0)
    weights = {
        name: np.ones(shape, np.float32)
        if name.endswith("._variance")
        else rng.standard_normal(shape, np.float32) / np.sqrt(np.prod(shape[1:])).astype(np.float32)
        for name, shape in template.shapes(card).items()
    }
    np.savez(file.with_suffix(".npz"), **weights)  # type: ignore[arg-type]  # the stubs have no arrays by name
    file.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    return sum(array.nbytes for array in weights.values())


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_an_export_takes_a_few_times_the_weights(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    few, many = (write_network(count, tmp_path / name) for count, name in ((FEW, "few"), (MANY, "many")))
    command = [sys.executable, "-W", "error", "-c", EXPORT]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    before, after = json.loads(found.stdout.splitlines()[-1])
    assert after - before < LARGEST * (many - few)
