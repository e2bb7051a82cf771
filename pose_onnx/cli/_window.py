"""A window that shows frames."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from pose_onnx import InputError
from pose_onnx.closing import Closing
from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2

_TITLE: Final = "pose-onnx: q closes"
_KEYS_TO_CLOSE: Final = (ord("q"), 27)  # 27 is Esc
_PROBE: Final = "import cv2; cv2.namedWindow('x'); cv2.waitKey(1); cv2.destroyAllWindows()"


class Window(Closing):
    """A window on the screen.

    Raises:
        InputError: There is no screen, or this OpenCV has no windows.
    """

    def __init__(self) -> None:
        # In a process of its own: without a screen, Qt ends the process that asks for a window.
        probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False)
        if probe.returncode:
            lines = probe.stderr.strip().splitlines() or ["no reason given"]
            reason = lines[0] if probe.returncode < 0 else lines[-1]  # Qt aborts; OpenCV raises
            raise InputError(
                f"--show needs a screen and an OpenCV with windows ({reason}); leave it out and look at "
                "the file of --out, or replace a headless OpenCV with: pip uninstall -y "
                "opencv-python-headless && pip install opencv-python"
            )
        # Before PyAV is imported: in the other order, OpenCV's windows hang on Linux (PyAV issue 978).
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)

    def show(self, image: Image) -> bool:
        """Show a frame; return whether the window is still open."""
        cv2.imshow(_TITLE, image)
        closed = cv2.waitKey(1) in _KEYS_TO_CLOSE or cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1
        return not closed

    def close(self) -> None:
        """Close it."""
        cv2.destroyAllWindows()
