"""Writes the README of a folder of golden vectors."""

from __future__ import annotations

from typing import Final

from pose_onnx.poses import JOINT_THRESHOLD

README: Final = f"""# Golden vectors

For a port of these models' pre- and post-processing to another language: the inputs of each stage, its
expected outputs, and their tolerances. `golden.json` lists them in order:

- `models`: name, SHA-256 of the model files, and the model card with every number that a port needs.
- `stages`: `part` (a model, or both as a pair), `name`, what it `does`, its `parameters`, `inputs` and
  `outputs`. Each array has a `file`, a `shape`, a `dtype` and a `meaning`; each output has a `tolerance`, the
  largest absolute difference of a correct result, and the `reason` for it.

How to check a port:

1. For each stage that the port has: read the inputs, run the stage, and compare the outputs. The inputs are
   those of the reference, not the results of your previous stage, so the first stage that fails is wrong.
2. In an output with a `share`, at most that share of the values may differ at all. An output with
   `only_where_sure` is only compared where the scores of that name are at least {JOINT_THRESHOLD:g}; if a
   box has a score for each class, the highest counts.
3. A stage with a `model_file` can be run by that file alone; arrays have the names of its tensors. Files with
   `end_to_end` in their names are written by `pose-onnx export ... --end-to-end`.

`.npy` files are version 1.0, little-endian, C order: after the magic `\\x93NUMPY` and two bytes of version
comes a little-endian uint16, then a header of this many bytes, then the values. Names: N people, M boxes, K
joints, A anchors, C classes; H, W of the picture, h, w of the network's input. The `.png`
is the picture `image`.
"""
