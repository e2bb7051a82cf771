"""OpenCV, imported in one place: `from pose_onnx.core.opencv import cv2`.

If it cannot be loaded, `import pose_onnx` still works, so that the command line can say so in one sentence;
the first use of `cv2` raises `DependencyError`. So no module may use `cv2` while it is being imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pose_onnx.errors import DependencyError

if TYPE_CHECKING:
    import cv2
else:
    try:
        import cv2
    except ImportError as error:
        _reason = error

        class _Unloadable:
            def __getattr__(self, name: str) -> NoReturn:
                raise DependencyError(
                    f"OpenCV cannot load ({_reason}); install the system libraries it needs, for example "
                    "with: apt-get install libgl1 libglib2.0-0, or use the build that needs none: "
                    "pip uninstall -y opencv-python && pip install opencv-python-headless"
                ) from _reason

        cv2 = _Unloadable()

__all__ = ["cv2"]
