"""What the tests of all backends ask with."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from PIL import Image as Pictures

from openvlt import Backend, Engine, Image, Message, Request

CONTEXT = 256  # tokens; small, so that a prompt can be over it

COLOURS = {"red": (220, 20, 20), "green": (20, 160, 20), "blue": (20, 20, 220), "grey": (128, 128, 128)}


def picture(image: Image) -> Pictures.Image:
    """Stands for the store: the image's digest names its colour."""
    return Pictures.new("RGB", (image.width, image.height), COLOURS[image.sha256])


def request(*content: str | Image, samples: tuple[int, ...] = (0,), system: str = "") -> Request:
    """A request of one user turn, keyed by what it asks, as the core does."""
    messages = (*([Message.system(system)] if system else []), Message.user(*content))
    return Request(messages, sha256(repr(messages).encode()).hexdigest(), samples)


@dataclass(frozen=True)
class Opened:
    """A backend with the tiny Qwen2.5-VL open in it.

    Attributes:
        name: of the backend.
        context: tokens of prompt and reply together the model was opened with.
        figures: what tests measured, printed at the end of the session.
    """

    name: str
    backend: Backend
    engine: Engine
    context: int
    figures: list[str]

    def report(self, what: str, share: float) -> None:
        self.figures.append(f"{self.name}: {what}: {share:.0%}")
