"""Rebuilds the templates of all official cards: `python -m pose_onnx.exporters.templates [NAME ...]`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from pose_onnx.cards.lookup import load_card, official_names
from pose_onnx.exporters.templates._file import SUFFIX, template_name
from pose_onnx.exporters.templates._make import make

log = logging.getLogger(__name__)


def main(names: list[str]) -> None:
    """Write the template of each card into the package's folder."""
    cards = {template_name(card): card for card in map(load_card, names or official_names())}
    for name, card in cards.items():
        content = make(card)
        (Path(__file__).parent / f"{name}{SUFFIX}").write_bytes(content)
        log.info("%s: %d bytes", name, len(content))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(sys.argv[1:])
