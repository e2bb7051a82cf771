"""The parameters of templates that are too large for the tests to make them again (test_templates.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pose_onnx import load_card
from pose_onnx.exporters.templates import find_template
from tests.exporters.networks import test_centernet, test_rcnn, test_yolo


@pytest.mark.parametrize("names", [test_yolo.NAMES, test_centernet.NAMES, test_rcnn.NAMES])
def test_templates_have_the_parameters_of_their_networks(
    names: list[str], run_paddle: Callable[..., None], tmp_path: Path
) -> None:
    run_paddle("parameter_shapes.py", tmp_path / "shapes.json", *names)
    for name, shapes in json.loads((tmp_path / "shapes.json").read_text()).items():
        card = load_card(name)
        template = find_template(card)
        assert template is not None
        assert template.shapes(card) == {key: tuple(shape) for key, shape in shapes.items()}
