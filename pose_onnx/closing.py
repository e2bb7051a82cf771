"""Objects that hold engines: they release them at the end of a `with` block, and pickle without them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Closing(ABC):
    """An object that holds engines, and releases them at the end of a `with` block."""

    @abstractmethod
    def close(self) -> None:
        """Release the engines."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Reopening(Closing):
    """An object that pickles as the arguments it was made with, for process pools and Ray.

    Unpickling opens the models again, so names and paths are looked up on that machine.
    """

    _arguments: dict[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (type(self), self._arguments)


def _open_again(kind: type[Reopening], arguments: dict[str, Any]) -> Reopening:
    return kind(**arguments)
