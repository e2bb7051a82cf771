"""The argument parser, with suggestions for unknown words."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pose_onnx.errors import did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser that suggests what was probably meant; so do the parsers of its verbs."""

    def parse_known_args(  # type: ignore[override]  # its overloads differ in the kind of the namespace alone
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse, and refuse leftover words here, where the possible options are known."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            option = left[0].partition("=")[0]
            hint = did_you_mean(option, self._option_string_actions) if option.startswith("-") else ""
            self.error(f"unknown arguments: {' '.join(left)}; {hint}{self.prog} --help lists all options")
        return found, []

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = list(map(str, action.choices))
        hint = did_you_mean(str(value), choices)
        if isinstance(action, argparse._SubParsersAction) and Path(value).exists():  # noqa: SLF001 (has no other name)
            hint = f"did you mean '{self.prog} run {value}'? "
        raise argparse.ArgumentError(
            action, f"{str(value)!r} is not known; {hint}choose one of {', '.join(choices)}"
        )

    def error(self, message: str) -> NoReturn:
        """Print the error in one line, and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")
