"""The only module that imports Ray and Arrow, so that a missing package gives one clear message."""

from __future__ import annotations

from pose_onnx.errors import DependencyError

try:
    import fsspec.core
    import pyarrow as pa
    import pyarrow.fs as pafs
    import pyarrow.parquet as pq
    import ray
    import ray.data
    import scipy.optimize  # noqa: F401 (tracking needs it: fail here, not at the second person of a video)
except ImportError as error:
    raise DependencyError(
        f"pose_onnx.ray needs Ray Data, PyArrow and SciPy ({error}); run: pip install 'pose-onnx[ray]'"
    ) from error

__all__ = ["fsspec", "pa", "pafs", "pq", "ray"]
