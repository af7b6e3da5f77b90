"""First stage: the vision tower learns colours, shapes and positions, with throw-away heads.

Trained from scratch together with the language model, the tower learns colours but never shapes; trained on its own
task first, it learns both in minutes.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen2_5_VLForConditionalGeneration

from tiny_vl.components import PATCH, SIDE, WIDTH
from tiny_vl.easy import COLOURS, SHAPES

LOG = logging.getLogger(__name__)

# easy-VQA draws in these (CSS names), on light backgrounds.
PAINT = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "brown": (165, 42, 42),
    "gray": (128, 128, 128),
    "green": (0, 255, 0),
    "red": (255, 0, 0),
    "teal": (0, 128, 128),
    "yellow": (255, 255, 0),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with the indices of its colour and shape, and the centre of the shape as fractions of the side."""

    image: Image.Image
    colour: int
    shape: int
    x: float
    y: float


def draw(chance: random.Random) -> Sample:
    """Draws one shape in one colour on a light background, as easy-VQA does."""
    colour, shape = chance.randrange(len(COLOURS)), chance.randrange(len(SHAPES))
    image = Image.new("RGB", (SIDE, SIDE), tuple(chance.randint(228, 255) for _ in range(3)))
    pen, paint = ImageDraw.Draw(image), PAINT[COLOURS[colour]]
    width = chance.randint(8, 32)
    height = width if shape == 0 else chance.randint(8, 32) if shape == 1 else round(width * chance.uniform(0.75, 1.0))
    left, top = chance.randint(0, SIDE - width), chance.randint(0, SIDE - height)
    right, bottom = left + width - 1, top + height - 1
    if SHAPES[shape] == "circle":
        pen.ellipse((left, top, right, bottom), fill=paint)
    elif SHAPES[shape] == "rectangle":
        pen.rectangle((left, top, right, bottom), fill=paint)
    else:
        pen.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], fill=paint)
    return Sample(image, colour, shape, (left + right + 1) / 2 / SIDE, (top + bottom + 1) / 2 / SIDE)


def patches(images: list[Image.Image]) -> Tensor:
    """The images as Qwen2.5-VL's processor hands them to the tower: (64 patches each, channels x 2 frames x 8 x 8)."""
    pixels = torch.stack([torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8) for image in images])
    scaled = pixels.view(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2).float() / 127.5 - 1
    half = SIDE // PATCH // 2
    grid = scaled.view(len(images), 3, half, 2, PATCH, half, 2, PATCH).permute(0, 2, 5, 3, 6, 1, 4, 7)
    frames = grid.unsqueeze(6).expand(-1, -1, -1, -1, -1, -1, 2, -1, -1)
    return frames.reshape(-1, 3 * 2 * PATCH * PATCH)


def look(model: Qwen2_5_VLForConditionalGeneration, images: list[Image.Image]) -> Tensor:
    """The tower's output for the language model: (images, 16 tokens, width)."""
    side = SIDE // PATCH
    grid = torch.tensor([[1, side, side]] * len(images))
    return model.model.visual(patches(images), grid_thw=grid).pooler_output.view(len(images), -1, WIDTH)


class Heads(nn.Module):
    """Reads colour, shape and centre from the tower's tokens.

    The pooling weights are trained on the centre, so that a token learns whether it is on the shape, which the language
    model can attend to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.where = nn.Linear(WIDTH, 1)
        self.what = nn.Linear(WIDTH, len(COLOURS) + len(SHAPES))
        across = (torch.arange(SIDE // PATCH // 2) + 0.5) / (SIDE // PATCH // 2)
        self.register_buffer("centres", torch.cartesian_prod(across, across).flip(-1))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns logits of colour, (images, 8), and of shape, (images, 3), and centres, (images, 2)."""
        weights = self.where(tokens).softmax(dim=1)
        colour, shape = self.what((weights * tokens).sum(dim=1)).split([len(COLOURS), len(SHAPES)], dim=-1)
        return colour, shape, (weights * self.centres).sum(dim=1)


def train_tower(
    model: Qwen2_5_VLForConditionalGeneration, steps: int, seed: int, batch: int = 64, rate: float = 2e-3
) -> None:
    """Trains `model.model.visual` in place on drawn shapes."""
    chance = random.Random(seed)
    heads = Heads()
    weights = [*model.model.visual.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    start = time.monotonic()
    for step in range(steps):
        samples = [draw(chance) for _ in range(batch)]
        colour, shape, centre = heads(look(model, [sample.image for sample in samples]))
        is_colour, is_shape = (torch.tensor([getattr(s, name) for s in samples]) for name in ("colour", "shape"))
        is_centre = torch.tensor([(sample.x, sample.y) for sample in samples])
        loss = functional.cross_entropy(colour, is_colour) + functional.cross_entropy(shape, is_shape)
        loss = loss + 10 * functional.mse_loss(centre, is_centre)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            right = [
                (logits.argmax(-1) == true).float().mean().item()
                for logits, true in ((colour, is_colour), (shape, is_shape))
            ]
            LOG.info(
                "tower %d/%d: loss %.3f, colour %.2f, shape %.2f, %.0f s",
                step + 1,
                steps,
                loss.item(),
                *right,
                time.monotonic() - start,
            )
