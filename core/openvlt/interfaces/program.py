"""The part that all components share which are programs: they compute values from examples, and ask no model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from openvlt.interfaces.component import Component
from openvlt.interfaces.engine import ImageReader


class Program(Component, ABC):
    """Makes values itself: opened once, and called for one row after the other. The core keeps each value."""

    @abstractmethod
    def open(self, read: ImageReader) -> AbstractContextManager[Callable[..., Any]]:
        """Load what it needs; yields what makes a value.

        Args:
            read: decodes an image; the picture is shared, so copy it before changing it.
        """

    def revision(self) -> str:
        """A text that changes whenever its values may change: a release of a package, a digest of its data.

        Raises:
            DataError: its data cannot be used; called before any work.
        """
        return ""
