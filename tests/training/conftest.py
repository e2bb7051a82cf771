"""Training needs PyTorch, which no other part does: .ci/run makes an environment for these tests."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("torch"):
    import torch

    torch.set_num_threads(1)  # more of them wait for each other where the machine has other work too
    collect_ignore_glob = []
else:
    collect_ignore_glob = ["test_*.py"]
