"""Examples as TRL's rows: chat turns and images, decoded when a batch is made and not before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from openvlt import Image, Message, TrainJob


def in_epochs(count: int, wanted: int, seed: int) -> list[int]:
    """Lay out seeded shuffles of ``range(count)`` one after the other until there are `wanted` indices.

    One epoch of TRL's is then all of training, so that a resumed run sees the rows it would have seen: TRL re-seeds its
    sampler and would replay its first epoch's order.
    """
    order: list[int] = []
    epoch = 0
    while len(order) < wanted:
        indices = list(range(count))
        random.Random(f"{seed}/{epoch}").shuffle(indices)
        order += indices
        epoch += 1
    return order[:wanted]


def lazy(job: TrainJob, rows: int, **replies: Sequence[str]) -> Any:
    """A dataset whose images are decoded when a row is read.

    Args:
        job: its examples, format, images and seed.
        rows: how many; the examples are laid out by `in_epochs`.
        replies: columns of an assistant's replies, one to each example: what is taught, or preferred and rejected.

    Returns:
        A `datasets.Dataset` of ``index, prompt, images`` and the replies; without ``images`` where no example has one.
    """
    from datasets import Dataset

    examples = job.examples()
    sees = any(example.images for example in examples)

    def made(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [examples[index] for index in batch["index"]]
        columns: dict[str, list[Any]] = {
            "index": list(batch["index"]),
            "prompt": [[_turn(message, sees) for message in job.format.prompt(example)] for example in chosen],
        }
        if sees:
            columns["images"] = [[job.read(image) for image in example.images] for example in chosen]
        for name, texts in replies.items():
            columns[name] = [[_turn(Message.assistant(texts[index]), sees)] for index in batch["index"]]
        return columns

    order = {"index": in_epochs(len(examples), rows, job.seed)}
    # TRL tokenizes rows without images beforehand, with `Dataset.map`, for which they must be there.
    return Dataset.from_dict(order).with_transform(made) if sees else Dataset.from_dict(made(order))


def _turn(message: Message, sees: bool) -> dict[str, Any]:
    """A turn as chat templates take it: in parts for a model that sees, else one text."""
    parts: list[dict[str, str]] = [
        {"type": "image"} if isinstance(part, Image) else {"type": "text", "text": part} for part in message.content
    ]
    return {"role": message.role, "content": parts if sees else "".join(part["text"] for part in parts)}
