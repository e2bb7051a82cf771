"""Record which stage of the pipeline is at work when.

No part of the pipeline is reimplemented here: while `watched` is open, the package's own functions that make
up the stages record when they are entered and left, wherever they are called from and in any thread.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib import import_module
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeVar, runtime_checkable

from pose_onnx.outputs import OutputSpec
from pose_onnx.pose_model import PoseModel
from pose_onnx.runtimes import Runtime

Result = TypeVar("Result")

_LOAD: Final = "load image"
_DETECTOR_IN: Final = "detector pre-processing"
_DETECTOR: Final = "detector network"
_DETECTOR_OUT: Final = "detector post-processing"
_KEYPOINTS_IN: Final = "keypoint pre-processing"
_KEYPOINTS: Final = "keypoint network"
_DECODE: Final = "decode"
REST: Final = "rest"
"""Time outside all stages: deciding where to crop, checking arguments, building result records."""

STAGES: Final = (_LOAD, _DETECTOR_IN, _DETECTOR, _DETECTOR_OUT, _KEYPOINTS_IN, _KEYPOINTS, _DECODE, REST)
"""The stages, in the order of the work on one picture."""

FUNCTIONS: Final = MappingProxyType(
    {
        "pose_onnx.image_files:load_image": _LOAD,
        "pose_onnx.detector:detector_input": _DETECTOR_IN,
        "pose_onnx.core.keypoints:keypoint_input": _KEYPOINTS_IN,
        "pose_onnx.core.keypoints:keypoints_in_image": _DECODE,
    }
)
"""Which function belongs to which stage; the networks are `run` of the engines."""

METHODS: Final = MappingProxyType(
    {
        "detect": MappingProxyType({"decode": _DETECTOR_OUT, "select": _DETECTOR_OUT}),
        "keypoints": MappingProxyType({"merge_mirrored": _DECODE, "read": _DECODE}),
        "people": MappingProxyType({"merge_mirrored": _DECODE, "read": _DECODE, "decode": _DECODE}),
    }
)
"""The same for the methods of the kinds of outputs (`pose_onnx.outputs`), by task."""

_OF_KEYPOINTS: Final = frozenset({"heatmaps", "hps"})
"""Tensors that hold keypoint positions: of keypoint models, and of one-pass models (all people at once)."""

NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})

_PACKAGE: Final = "pose_onnx"


@runtime_checkable
class Part(Protocol):
    """One network of a model."""

    @property
    def runtime(self) -> Runtime:
        """The engine that runs it."""

    @property
    def output(self) -> OutputSpec:
        """The output, which reads its tensors."""


def parts_of(model: PoseModel) -> list[Part]:
    """Return a model's networks: the model itself, or its attributes that are networks."""
    return [each for each in (model, *vars(model).values()) if isinstance(each, Part)]


class Event(NamedTuple):
    """A thread enters or leaves a stage."""

    time: float
    thread: int
    stage: str
    enters: bool


class Shares:
    """How much time each stage has had so far.

    Threads that work at the same time share that time equally, so that the stages add up to the whole. If
    stages are nested, the inner one counts.

    Args:
        start: Start time, seconds.
    """

    def __init__(self, start: float) -> None:
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._stacks: dict[int, list[str]] = {}
        self._before = start

    def note(self, event: Event) -> None:
        """Take the next event, which must not be earlier than the last one."""
        self._share_out(event.time)
        stack = self._stacks.setdefault(event.thread, [])
        if event.enters:
            stack.append(event.stage)
        elif stack:  # else the stage was entered before the start
            stack.pop()

    def until(self, end: float) -> dict[str, float]:
        """Return the seconds of each stage from the start to now."""
        self._share_out(end)
        return dict(self._seconds)

    def _share_out(self, time: float) -> None:
        at_work = [stack[-1] for stack in self._stacks.values() if stack] or [REST]
        for stage in at_work:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + (time - self._before) / len(at_work)
        self._before = time


class StageClock:
    """Records when stages begin and end.

    Args:
        clock: Returns seconds; must never go backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # keeps events in the order of their times
        self._shares = Shares(0.0)
        self.restart()

    def restart(self) -> None:
        """Discard everything recorded so far, and start now."""
        with self._lock:
            self._shares = Shares(self._clock())

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each stage since the start; they add up to the whole."""
        with self._lock:
            return self._shares.until(self._clock())

    def timed(self, function: Callable[..., Any], stage_of: Callable[..., str]) -> Callable[..., Any]:
        """Wrap `function` so that it records itself as the stage that `stage_of` gives for its arguments."""

        @wraps(function)
        def noted(*args: Any, **options: Any) -> Any:
            stage = stage_of(*args)
            self._note(stage, enters=True)
            try:
                return function(*args, **options)
            finally:
                self._note(stage, enters=False)

        return noted

    def _note(self, stage: str, *, enters: bool) -> None:
        with self._lock:
            self._shares.note(Event(self._clock(), threading.get_ident(), stage, enters))

    def split(self, action: Callable[[], Result]) -> tuple[dict[str, float], Result]:
        """Call a function; return the seconds of each stage, which add up to the whole, and the result."""
        self.restart()
        result = action()
        return self.seconds(), result


@contextmanager
def watched(
    clock: StageClock, models: Sequence[PoseModel], more: Mapping[str, str] = NO_MORE
) -> Iterator[None]:
    """While the block runs, the stages' functions and these models' engines and outputs report to a clock.

    Args:
        clock: Records them.
        models: The models whose engines and outputs report.
        more: Functions, as in `FUNCTIONS`, and methods of the caller's own stages.
    """
    parts = [part for model in models for part in parts_of(model)]
    with ExitStack() as undo:
        for place, stage in {**FUNCTIONS, **more}.items():
            function, owners = _found(place)
            noted = clock.timed(function, lambda *_, stage=stage: stage)
            for owner, attribute in owners:
                _replace(owner, attribute, noted, undo)
        for kind in {type(part.runtime) for part in parts}:
            _replace(kind, "run", clock.timed(kind.run, _network_stage), undo)
        for output in {type(part.output) for part in parts}:
            for name, stage in METHODS.get(output.task, {}).items():
                method = getattr(output, name)
                _replace(output, name, clock.timed(method, lambda *_, stage=stage: stage), undo)
        yield


def _found(place: str) -> tuple[Callable[..., Any], list[tuple[Any, str]]]:
    """Return the function or method at a place, and all places where it can be reached."""
    module, _, name = place.partition(":")
    owner, _, method = name.rpartition(".")
    function = attrgetter(name)(import_module(module))
    return function, [(attrgetter(owner)(sys.modules[module]), method)] if owner else _users(function)


def _users(function: Callable[..., Any]) -> list[tuple[Any, str]]:
    """Return each module of the package through which a function can be reached, and its name there."""
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == _PACKAGE]
    return [(module, name) for module in ours for name, value in vars(module).items() if value is function]


def _replace(owner: Any, name: str, new: Any, undo: ExitStack) -> None:
    undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, new)


def _network_stage(runtime: Runtime, *_: object) -> str:
    return _DETECTOR if _OF_KEYPOINTS.isdisjoint(spec.name for spec in runtime.outputs) else _KEYPOINTS
