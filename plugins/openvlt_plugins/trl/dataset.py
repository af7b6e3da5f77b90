"""Examples as rows of a TRL dataset: chats, and images that are decoded only when a batch is made."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from openvlt import Image, Message, PlainText, TrainJob

ON_DISK = "dataset"
"""Folder of a training with its rows as TRL reads them, removed at its end."""


def in_epochs(count: int, wanted: int, seed: int) -> list[int]:
    """Concatenate seeded shuffles of ``range(count)`` until there are `wanted` indices.

    The whole training is then a single epoch for TRL, so that a resumed run sees the same rows as an uninterrupted one:
    TRL re-seeds its sampler on resume and would replay the order of the first epoch.
    """
    order: list[int] = []
    epoch = 0
    while len(order) < wanted:
        indices = list(range(count))
        random.Random(f"{seed}/{epoch}").shuffle(indices)
        order += indices
        epoch += 1
    return order[:wanted]


Reply = Callable[[int], str]
"""The reply of an assistant to the example with a number, written when it is needed."""


def lazy(job: TrainJob, rows: int, processor: Any, **replies: Reply) -> Any:
    """A dataset whose images are decoded when a row is read.

    Args:
        job: provides examples, format, images and seed.
        rows: number of rows; `in_epochs` repeats the examples.
        processor: of the model, or its tokenizer: its control tokens are none where a text contains them.
        replies: columns of assistant replies: the target, or chosen and rejected.

    Returns:
        A `datasets.Dataset` of ``index, prompt, images`` and the replies; without ``images`` if no example has one.
    """
    from datasets import Dataset

    examples, plain = job.examples(), PlainText(getattr(processor, "tokenizer", processor))
    sees = any(example.images for example in examples)

    def columns_of(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [examples[index] for index in batch["index"]]
        columns: dict[str, list[Any]] = {
            "index": list(batch["index"]),
            "prompt": [[turn(message, sees, plain) for message in job.format.prompt(example)] for example in chosen],
        }
        if sees:
            columns["images"] = [[job.read(image) for image in example.images] for example in chosen]
        for name, write in replies.items():
            columns[name] = [[turn(Message.assistant(write(index)), sees, plain)] for index in batch["index"]]
        return columns

    order = in_epochs(len(examples), rows, job.seed)
    if sees or not replies:
        return Dataset.from_dict({"index": order}).with_transform(columns_of)

    def rows_of() -> Iterator[dict[str, Any]]:
        for index in order:
            yield {name: column[0] for name, column in columns_of({"index": [index]}).items()}

    # TRL tokenizes such rows in advance, with `Dataset.map`, which needs real columns: on disk, not in memory.
    kept = job.folder / ON_DISK
    return Dataset.from_generator(rows_of, cache_dir=str(kept), fingerprint=f"{job.seed}-{rows}")


def turn(message: Message, sees: bool, plain: PlainText) -> dict[str, Any]:
    """A turn as chat templates expect it: a list of parts for a vision model, else one text."""
    parts: list[dict[str, str]] = [
        {"type": "image"} if isinstance(part, Image) else {"type": "text", "text": plain(part)}
        for part in message.content
    ]
    return {"role": message.role, "content": parts if sees else "".join(part["text"] for part in parts)}
