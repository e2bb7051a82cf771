"""Erf, of which GELU is made: TFLite has no such operator, so it is put together from others.

With u = x / 4, clamped to -1 and 1, erf x = u P(u^2) / Q(u^2) to within 2.6e-8 of itself, for two polynomials
of degree 5. They were fitted on 4,000 Chebyshev nodes by least squares, weighted anew until the largest
relative error was smallest. All coefficients are positive, so float32 loses no more than a few last bits,
also of small values, which formulas of the form 1 - f(x) get wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pose_onnx.exporters.tflite import _operators as op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._operators import Operator

REACH: Final = 4.0
"""erf 4 is 1 - 1.5e-8, which float32 rounds to 1."""
NUMERATOR: Final = (4.51351656, 12.3870206, 54.3764497, 63.6260352, 74.5972927, 8.33302271)
"""Of u^0, u^2, ... u^10."""
DENOMINATOR: Final = (1.0, 8.07774868, 29.5298195, 62.2895873, 77.6986592, 39.2375208)
_CLAMPED: Final = schema.ActivationFunctionType.RELU_N1_TO_1


def lower_erf(node: Node, build: Builder) -> None:
    """Erf: 24 operators of plain arithmetic, all of which XNNPACK runs."""
    view = build.view(node.inputs[0])
    steps = _Steps(build, view.tensor, node.outputs[0])
    u = steps.write(op.MUL, view.tensor, steps.number(1 / REACH), fusedActivationFunction=_CLAMPED)
    square = steps.write(op.MUL, u, u)
    ratio = steps.write(op.DIV, steps.polynomial(NUMERATOR, square), steps.polynomial(DENOMINATOR, square))
    build.define(node, steps.write(op.MUL, u, ratio), view.order)


class _Steps:
    """Writes operators whose results are all like one tensor.

    Args:
        build: Where to.
        like: The tensor.
        name: What the results' names begin with.
    """

    def __init__(self, build: Builder, like: int, name: str) -> None:
        self._build = build
        self._extent = build.file.tensors[like].extent
        self._name = name

    def write(self, operator: Operator, *tensors: int, **options: int) -> int:
        """Write an operator; return the tensor that holds its result."""
        return self._build.emit(operator, tensors, self._extent, f"{self._name}/erf", **options)

    def number(self, value: float) -> int:
        """Return the tensor that holds a constant."""
        return self._build.file.add_constant(f"{self._name}/number", np.array([value], np.float32))

    def polynomial(self, coefficients: Sequence[float], x: int) -> int:
        """Write a polynomial of a tensor by Horner's rule, the constant coefficient first."""
        *others, highest = map(self.number, coefficients)
        total = highest
        for coefficient in reversed(others):
            total = self.write(op.ADD, self.write(op.MUL, total, x), coefficient)
        return total
