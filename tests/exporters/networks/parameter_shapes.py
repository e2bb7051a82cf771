"""Write the shapes of the parameters of cards' networks: `python parameter_shapes.py OUT.json CARD ...`.

Run as a process of its own, because Paddle warns at import and keeps global state.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pose_onnx import load_card
from pose_onnx.exporters.networks import network_of


def main(out: str, *names: str) -> None:
    """Write {card: {parameter: shape}}."""
    found = {}
    for name in names:
        card = load_card(name)
        layer = network_of(card).build(card)
        found[name] = {key: list(value.shape) for key, value in layer.state_dict().items()}
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
