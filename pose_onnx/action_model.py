"""What a person does: a window of poses in, a label and its probability out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.window import WindowSpec
from pose_onnx.closing import Reopening
from pose_onnx.core.arrays import BOX, F32, POINT
from pose_onnx.core.windows import Window, window_tensor
from pose_onnx.errors import InputError
from pose_onnx.loading import CardLike, ModelLike, check_options, file_of, open_model
from pose_onnx.outputs import ActionLogitsOutput
from pose_onnx.poses import Action
from pose_onnx.provenance import model_digests
from pose_onnx.runtimes import Runtime
from pose_onnx.runtimes._checks import check_threads


class ActionModel(Reopening):
    """A model that recognises what a person does from their poses.

    Args:
        model: Official name, path of an exported file, or a loaded `Runtime`, which stays open.
        card: For a file without a card: a card, its name, or the path of a card file.
        backend: Which engine runs it.
        precision: Which of the named model's files to use, such as "fp16".
        threads: Threads inside a run; every core when `None`.
        options: Passed to the backend.

    Raises:
        PoseOnnxError: One of its subclasses, with a message that says what to do; see `pose_onnx.errors`.
    """

    def __init__(
        self,
        model: ModelLike,
        *,
        card: CardLike | None = None,
        backend: str = "ort",
        precision: str = "fp32",
        threads: int | None = None,
        **options: Any,
    ) -> None:
        check_options(ActionModel, backend, options)
        self._arguments = {
            "model": model,
            "card": card,
            "backend": backend,
            "precision": precision,
            "threads": threads,
            **options,
        }
        self.card: ModelCard
        self.runtime: Runtime
        self.card, self.runtime = open_model(
            model,
            "actions",
            card=card,
            backend=backend,
            precision=precision,
            threads=check_threads(threads),
            options=options,
        )
        self.file = file_of(model, backend, precision)
        self._owned = model is not self.runtime
        self.window = cast("WindowSpec", self.card.input)
        self.output = cast("ActionLogitsOutput", self.card.output)

    def __call__(self, window: Window) -> Action:
        """Tell what a person does.

        Args:
            window: Poses at even times: (T, K, 2) keypoints and (T, 4) boxes, image pixels. If there are
                fewer than the network takes, the rest of its input is 0; if there are more, they are sampled
                evenly.

        Raises:
            InputError: The window's shapes are not these, a number in it is not finite, or the network
                answers with NaN or infinity.
        """
        return self.find_all([window])[0]

    def find_all(self, windows: Sequence[Window]) -> list[Action]:
        """Recognise what several people do, in one run of the network; see `__call__`."""
        if not windows:
            return []
        for window in windows:
            self._check(window)
        tensor = np.stack([window_tensor(each, self.window.frames, self.window.box) for each in windows])
        probabilities = self.output.read(self.runtime.run({self.window.tensor_name: tensor}))
        if not np.isfinite(probabilities).all():
            raise InputError(
                f"action model {self.card.name!r} returned NaN or infinity; check the model, and the "
                "precision of its export"
            )
        return [self._action(each) for each in probabilities]

    def describe(self) -> dict[str, Any]:
        """Return what results record about their origin: name and digests, as JSON-ready data."""
        return {"actions": self.card.name, **model_digests("actions", self.file, self.card)}

    def _action(self, probabilities: F32) -> Action:
        best = int(probabilities.argmax())
        return Action(self.card.classes[best], float(probabilities[best]), probabilities)

    def _check(self, window: Window) -> None:
        frames, joints = len(window.keypoints), len(self.card.keypoints)
        wanted = (frames, joints, POINT), (frames, BOX)
        found = window.keypoints.shape, window.boxes.shape
        if found != wanted or not frames:
            raise InputError(
                f"the window has keypoints of shape {found[0]} and boxes of shape {found[1]}; give (T, "
                f"{joints}, {POINT}) and (T, {BOX}) of one person, T 1 or more"
            )
        if not (np.isfinite(window.keypoints).all() and np.isfinite(window.boxes).all()):
            raise InputError(
                "the window has numbers that are not finite; leave out the frames in which the person was not"
                " seen, or interpolate (pose_onnx.core.windows.at_times)"
            )

    def close(self) -> None:
        """Release the engine, if it was opened here."""
        if self._owned:
            self.runtime.close()
