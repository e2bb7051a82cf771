"""Every error of the package, one tree.

PoseOnnxError
 |- InputError (ValueError)              an image, a box or an option that cannot be used
 |- ModelFileError (ValueError)          a model file that is missing, broken or not what it should be
 |   `- MissingCardError                 a model file without the card that says how to run it
 |- CardError (ValueError)               a model card with a wrong or missing field
 |- UnknownNameError (ValueError)        a model, preset or backend name that is not registered
 |- DependencyError (ImportError)        an optional package is not installed, or cannot load
 |- RuntimeFeedError (ValueError)        a tensor handed to a runtime has the wrong name, shape or dtype
 |- EngineError (RuntimeError)           an engine refused to load or to run a model
 |- OutputError (OSError)                a result cannot be written
 |- SourceError (OSError)                a camera or stream cannot be opened, or broke and did not come back
 |- DownloadError (OSError)              a file cannot be fetched, or may not be
 |- ExportError (RuntimeError)           a stage of an export failed
 `- UnexpectedError (RuntimeError)       one item of many failed unexpectedly

Catch `PoseOnnxError` for all of them, or the builtin in brackets. A message is one sentence that says
what was given, what was expected and what to do. This module imports nothing of the package, so that the
runtimes, which import nothing else of the core, can raise from the same tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class PoseOnnxError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(PoseOnnxError, ValueError):
    """An image, a box or an option cannot be used."""


class ModelFileError(PoseOnnxError, ValueError):
    """A model file is missing, broken, or not a model of the expected kind."""


class MissingCardError(ModelFileError):
    """A model file contains no card, and none was given."""


class CardError(PoseOnnxError, ValueError):
    """A model card has a missing, unknown or wrong field."""


class UnknownNameError(PoseOnnxError, ValueError):
    """A name of a model, preset or backend that is not registered."""


class DependencyError(PoseOnnxError, ImportError):
    """A package that this feature needs is not installed, or cannot load."""


class RuntimeFeedError(PoseOnnxError, ValueError):
    """A tensor handed to a runtime has a wrong name, shape or dtype."""


class EngineError(PoseOnnxError, RuntimeError):
    """An inference engine refused to load or to run a model."""


class OutputError(PoseOnnxError, OSError):
    """A result cannot be written: a read-only folder, a full disk, an unknown file suffix."""


class SourceError(PoseOnnxError, OSError):
    """A camera or stream cannot be opened, or broke and did not come back."""


class DownloadError(PoseOnnxError, OSError):
    """A file cannot be fetched from any of its addresses, or POSE_ONNX_OFFLINE forbids it."""


class ExportError(PoseOnnxError, RuntimeError):
    """A stage of an export failed, or its result crossed an accuracy bar."""


class UnexpectedError(PoseOnnxError, RuntimeError):
    """One item of many failed with an exception from outside this package, which should be reported."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'? " if a known name is similar, otherwise an empty string."""
    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def unknown_name(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Return the error for an unknown name.

    Args:
        what: The kind of thing that it should name.
        name: As given.
        known: The names that there are.
    """
    names = list(known)
    hint = did_you_mean(name, names)
    return UnknownNameError(f"{what} {name!r} is not known; {hint}choose one of {names}")
