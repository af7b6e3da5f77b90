"""Examples as TRL's rows: chat turns and images, decoded when a batch is made and not before."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
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


def lazy(job: TrainJob, order: Sequence[int], completion: Callable[[int], str] | None = None) -> Any:
    """A dataset whose rows are made when they are read.

    Args:
        job: its examples, format and images.
        order: index of the example of each row.
        completion: the reply to teach for an index, for supervised training.

    Returns:
        A `datasets.Dataset` of ``index, prompt, images`` and, for supervised training, ``completion``.
    """
    from datasets import Dataset

    examples = job.examples()

    def rows(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        chosen = [examples[index] for index in batch["index"]]
        made: dict[str, list[Any]] = {
            "index": list(batch["index"]),
            "prompt": [[_turn(message) for message in job.format.prompt(example)] for example in chosen],
        }
        if any(example.images for example in examples):
            made["images"] = [[job.read(image) for image in example.images] for example in chosen]
        if completion is not None:
            replies = [completion(index) for index in batch["index"]]
            made["completion"] = [[{"role": "assistant", "content": _text(reply)}] for reply in replies]
        return made

    return Dataset.from_dict({"index": list(order)}).with_transform(rows)


def _turn(message: Message) -> dict[str, Any]:
    parts = [
        {"type": "image"} if isinstance(part, Image) else {"type": "text", "text": part} for part in message.content
    ]
    return {"role": message.role, "content": parts}


def _text(reply: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": reply}]
