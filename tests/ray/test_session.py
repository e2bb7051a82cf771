"""Connections to Ray that cannot be made."""

from __future__ import annotations

import pytest

from pose_onnx import EngineError

pytest.importorskip("ray", reason="needs pose-onnx[ray]")

from pose_onnx.ray._session import ray_session


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:99999"])
def test_a_cluster_that_is_not_there(address: str) -> None:
    with pytest.raises(EngineError, match=f"Ray at '{address}' cannot be used"), ray_session(address, 1):
        pass
