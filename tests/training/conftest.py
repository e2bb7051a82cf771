"""Training needs PyTorch, which no other part does: .ci/run makes an environment for these tests."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if find_spec("torch"):
    import torch

    torch.set_num_threads(1)  # more of them wait for each other where the machine has other work too
    collect_ignore_glob = []
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore_glob:
        terminalreporter.write_line("Not proved here: training, which needs PyTorch; .ci/run tests it")
