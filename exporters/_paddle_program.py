"""An inference program opened in Paddle: describes it, and cuts and rewrites it for paddle2onnx.

Imported only by `_paddle_worker`, in a separate process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pose_onnx.exporters.program import FLOAT32, NMS_KINDS, SIDE_INPUTS, demand_known
from pose_onnx.exporters.rewriting import REWRITES, keep_between, rewrite
from pose_onnx.exporters.rewriting_pir import PIR_FEEDS, PIR_REWRITES, make_inputs, rewrite_pir
from pose_onnx.exporters.two_stage.facts import SUFFIX
from pose_onnx.exporters.two_stage.find import FIRST_STAGE, find_two_stage
from pose_onnx.exporters.two_stage.operators import OldTensors, PirTensors, Tensor

YOLO_BOX: Final = "yolo_box"
PLANES: Final = 2
"""Number of maps that a CenterNet reads at its peaks: sizes and offsets."""
CLIPS: Final = "clip_bbox"
"""Its attribute for clipping boxes to the picture."""


class OpenedProgram:
    """A loaded program.

    Attributes:
        executor: runs it.
        program: Paddle's own object.
        feeds: names of its inputs.
        fetches: its outputs.
    """

    def __init__(self, program: str, params: str) -> None:
        import paddle  # noqa: PLC0415  # seconds to import; paddle2onnx alone does without

        paddle.enable_static()
        self.executor = paddle.static.Executor(paddle.CPUPlace())
        path = Path(program)
        self.program, self.feeds, self.fetches = paddle.static.load_inference_model(
            str(path.parent), self.executor, model_filename=path.name, params_filename=Path(params).name
        )
        self._block = self.program.global_block()
        self._read = _PirOperator if hasattr(self._block.ops[0], "operand_source") else _OldOperator
        known = {*(PIR_REWRITES if self._read is _PirOperator else REWRITES)}
        self._tensors = (PirTensors if self._read is _PirOperator else OldTensors)(self.program)
        image = next(iter({*self.feeds} - {*SIDE_INPUTS}), "")
        self._two_stage = find_two_stage(self._tensors, image, self._suppressed())
        if self._two_stage is not None:
            known.update(FIRST_STAGE)
        demand_known({operator.kind for operator in self._operators()} - known)

    def _operators(self) -> list[_OldOperator | _PirOperator]:
        return [self._read(self._block, place) for place in range(len(self._block.ops))]

    def _suppressed(self) -> list[Tensor]:
        """Return the boxes and scores that the NMS takes, or what the program returns if there is none."""
        nms = next((operator for operator in self._operators() if operator.kind in NMS_KINDS), None)
        return [self._tensors.find(value) for value in (self.fetches if nms is None else nms.heads())]

    def describe(self) -> dict[str, Any]:
        """Return the description that `pose_onnx.exporters.program.program_from_json` reads."""
        operators = self._operators()
        nms = next((operator for operator in operators if operator.kind in NMS_KINDS), None)
        return {
            "outputs": [
                list(value.shape) for value in self.fetches if str(value.dtype).lower().endswith(FLOAT32)
            ],
            "nms": None if nms is None else _nms_facts(nms),
            "centers": [list(value.shape) for value in self._centers()[1]],
            "clips": any(each.kind == YOLO_BOX and each.attributes[CLIPS] for each in operators),
        }

    def cut(self) -> list[Any]:
        """Return the network's outputs: the inputs of the NMS, if there is one, with unclipped boxes.

        Boxes are clipped to the user's picture later, not to the network's input.
        """
        operators = self._operators()
        for operator in operators:
            if operator.kind == YOLO_BOX:
                operator.switch_off(CLIPS)
        nms = next((operator for operator in operators if operator.kind in NMS_KINDS), None)
        place, heads = self._centers() if nms is None else (nms.place, nms.heads())
        if not heads:
            return list(self.fetches)
        if self._read is _PirOperator:
            # Otherwise the program's own fetches would replace the new ones.
            for op in reversed(list(self._block.ops)[place:]):
                self._block.remove_op(op)
        return heads

    def run(self, inputs: Mapping[str, Any], fetches: list[Any]) -> list[Any]:
        """Run what the fetched values are computed from: not an NMS that the program was cut before.

        Matrix NMS takes minutes where all scores are above its threshold.

        Args:
            inputs: arrays by name; those that the program does not have are ignored.
            fetches: from `cut`.
        """
        import paddle  # noqa: PLC0415  # as above

        feed = {name: inputs[name] for name in self.feeds}
        executor, prunes = self.executor, True
        if self._two_stage is not None:
            # A loop over images is not pruned, and one executor cannot run it twice.
            executor, prunes = paddle.static.Executor(paddle.CPUPlace()), False
        found: list[Any] = executor.run(self.program, feed=feed, fetch_list=fetches, use_prune=prunes)
        return found

    def _centers(self) -> tuple[int, list[Any]]:
        """Return the index of the operator at which a CenterNet looks for peaks, and its three maps.

        A peak is a cell whose value does not change in a max-pool of the map of centres. The program then
        reads the offsets at the peaks, then the sizes (PaddleDetection, ppdet/modeling/post_process.py,
        CenterNetPostProcess). For other networks there are no maps.
        """
        operators = self._operators()
        for operator in operators:
            centers = operator.peaks_of()
            if centers is None:
                continue
            read = [
                each.operand(0) for each in operators[operator.place :] if each.kind.startswith("transpose")
            ]
            if len(read) == PLANES:
                offsets, sizes = read
                return operator.place, [centers, sizes, offsets]
        return 0, []

    def save(self, path: Path) -> None:
        """Write the cut program with operators that paddle2onnx knows: `path` + .pdmodel or .json."""
        import paddle  # noqa: PLC0415  # as above

        heads = self.cut()
        found = self._two_stage
        if found is not None:
            path.with_suffix(SUFFIX).write_text(found.facts.to_json(), encoding="utf-8")
            heads = [self._tensors.value(tensor) for tensor in found.outputs]
        if found is not None and self._read is _OldOperator:
            keep_between(self._block, found.facts.feeds, [head.name for head in heads])
            rewrite(self._block)
            feeds = [self._block.var(name) for name in found.facts.feeds]
        elif self._read is _OldOperator:
            rewrite(self._block)
            needed = _needed(self._block, [head.name for head in heads])
            feeds = [self._block.var(name) for name in self.feeds if name in needed]
        else:
            if found is not None:
                replaced = {name: self._tensors.value(tensor) for name, tensor in found.inputs.items()}
                make_inputs(self.program, replaced, heads)
            rewrite_pir(self.program)
            made = [op.result(0) for op in self._block.ops if op.name() in PIR_FEEDS]
            feeds = [value for value in made if not value.use_empty()]
        paddle.static.save_inference_model(str(path), feeds, heads, self.executor, program=self.program)


class _OldOperator:
    """An operator of a program before PIR."""

    def __init__(self, block: Any, place: int) -> None:
        self.place = place
        self._block, self._op = block, block.ops[place]
        self.kind: str = self._op.type

    @property
    def attributes(self) -> dict[str, Any]:
        """All attributes of the operator, by name."""
        return {name: self._op.attr(name) for name in self._op.attr_names}

    def heads(self) -> list[Any]:
        """Return the boxes and scores that an NMS takes as inputs."""
        return [self._block.var(self._op.input(slot)[0]) for slot in NMS_KINDS[self.kind].slots]

    def operand(self, place: int) -> Any:
        """Return an input by its place in the order of input names; X comes first if there is one."""
        return self._block.var(self._op.input(("X", "Y")[place])[0])

    def peaks_of(self) -> Any | None:
        """Return the map that this operator compares with its own max-pool, or None if it does not."""
        if self.kind != "equal":
            return None
        pooled, source = self.operand(0), self.operand(1)
        pools = [op for op in self._block.ops if op.type == "pool2d" and op.output("Out")[0] == pooled.name]
        return source if [op.input("X")[0] for op in pools] == [source.name] else None

    def switch_off(self, attribute: str) -> None:
        """Set an attribute to False."""
        self._op._set_attr(attribute, False)  # noqa: SLF001  # Paddle has no public API for this


class _PirOperator:
    """An operator of a PIR program."""

    def __init__(self, block: Any, place: int) -> None:
        self.place = place
        self._op = block.ops[place]
        self.kind: str = self._op.name().removeprefix("pd_op.")

    @property
    def attributes(self) -> dict[str, Any]:
        """All attributes of the operator, by name."""
        return dict(self._op.attrs())

    def heads(self) -> list[Any]:
        """Return the boxes and scores that an NMS takes as inputs."""
        return [self.operand(place) for place in range(2)]

    def operand(self, place: int) -> Any:
        """Return an input."""
        return self._op.operand_source(place)

    def peaks_of(self) -> Any | None:
        """Return the map that this operator compares with its own max-pool, or None if it does not."""
        if self.kind != "equal":
            return None
        pool, source = self.operand(0).get_defining_op(), self.operand(1)
        pooled = pool.name().endswith("pool2d") and pool.operand_source(0).is_same(source)
        return source if pooled else None

    def switch_off(self, attribute: str) -> None:
        """Set an attribute to False."""
        self._op.set_bool_attr(attribute, False)


def _needed(block: Any, names: list[str]) -> set[str]:
    """Return the names of all tensors that `names` are computed from, in a program before PIR."""
    needed = set(names)
    for op in reversed(block.ops):
        if needed.intersection(op.output_arg_names):
            needed.update(op.input_arg_names)
    return needed


def _nms_facts(nms: _OldOperator | _PirOperator) -> Mapping[str, Any]:
    """See `pose_onnx.exporters.program.Nms`."""
    boxes, scores = (list(value.shape) for value in nms.heads())
    numbers = {key: float(value) for key, value in nms.attributes.items() if isinstance(value, int | float)}
    return {"kind": nms.kind, "boxes": boxes, "scores": scores, "attributes": numbers}
