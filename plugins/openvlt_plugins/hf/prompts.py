"""Converts chats to a model's inputs, and inputs of different length to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from openvlt import Image, ImageReader, Message, Reject, UsageError
from openvlt_plugins.hf.loading import Loaded


@dataclass(frozen=True)
class Prompt:
    """One prompt as the model's input.

    Attributes:
        ids: its tokens, images included.
        sequences: other inputs with one entry per token, each (length,).
        pixels: other inputs, for its images; concatenated with those of other prompts.
    """

    ids: list[int]
    sequences: Mapping[str, torch.Tensor] = field(default_factory=dict)
    pixels: Mapping[str, torch.Tensor] = field(default_factory=dict)


def encode(messages: Sequence[Message], loaded: Loaded, read: ImageReader) -> Prompt:
    """Apply the chat template and decode the images; a control token in a text is not one.

    Raises:
        UsageError: the messages have an image, but the model reads only text.
        Reject: its processor refuses the images.
    """
    images = [part for message in messages for part in message.content if isinstance(part, Image)]
    if loaded.processor is None:
        if images:
            raise UsageError(
                f"A prompt has an image, but '{loaded.network.config.name_or_path}' reads text only.",
                "Choose a vision-language model.",
            )
        turns: list[dict[str, Any]] = [
            {"role": message.role, "content": loaded.plain("".join(map(str, message.content)))} for message in messages
        ]
        text = loaded.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return Prompt(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])
    turns = [
        {"role": message.role, "content": [_part(part, loaded) for part in message.content]} for message in messages
    ]
    text = loaded.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    pictures = [read(image).convert("RGB") for image in images]
    try:
        inputs = dict(loaded.processor(text=[text], images=pictures or None, return_tensors="pt"))
    except ValueError as error:
        if not pictures:
            raise
        raise Reject("the model's processor refuses the prompt with its images") from error  # size, ratio, number
    ids = inputs.pop("input_ids")
    del inputs["attention_mask"]
    sequences = {name: value[0] for name, value in inputs.items() if value.shape == ids.shape}
    pixels = {name: value for name, value in inputs.items() if name not in sequences}
    return Prompt(ids[0].tolist(), sequences, pixels)


def _part(part: str | Image, loaded: Loaded) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, Image) else {"type": "text", "text": loaded.plain(part)}


def collate(prompts: Sequence[Prompt], skip: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Pad to the left and stack.

    Args:
        prompts: the prompts of a batch.
        skip: leading tokens that all prompts share; skipped, but counted in `attention_mask`.
        device: of the tensors.

    Returns:
        ``input_ids`` (prompts, positions), ``attention_mask`` (prompts, skip + positions), and the other inputs.
    """
    width = max(len(prompt.ids) for prompt in prompts) - skip
    batch = {
        "input_ids": torch.stack([_left(torch.tensor(prompt.ids[skip:]), width) for prompt in prompts]),
        "attention_mask": torch.stack(
            [torch.cat([torch.ones(skip, dtype=torch.long), _left(torch.ones(len(prompt.ids) - skip), width)])
             for prompt in prompts]
        ).long(),
    }  # fmt: skip
    for name, like in {name: value for prompt in prompts for name, value in prompt.sequences.items()}.items():
        rows = [prompt.sequences.get(name, like.new_zeros(len(prompt.ids))) for prompt in prompts]
        batch[name] = torch.stack([_left(row, width) for row in rows])
    for name in {name for prompt in prompts for name in prompt.pixels}:
        batch[name] = _stacked([prompt.pixels[name] for prompt in prompts if name in prompt.pixels])
    return {name: value.to(device) for name, value in batch.items()}


def _stacked(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Concatenate; where images differ in their number of tiles, zeros follow, as processors pad a batch."""
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    batch = parts[0].new_zeros(sum(map(len, parts)), *shape)
    start = 0
    for part in parts:
        batch[(slice(start, start + len(part)), *map(slice, part.shape[1:]))] = part
        start += len(part)
    return batch


def _left(values: torch.Tensor, width: int) -> torch.Tensor:
    return torch.nn.functional.pad(values, (width - len(values), 0))


def common_prefix(prompts: Sequence[Prompt], multiple: int) -> int:
    """Length of the common prefix, at least one token shorter than any prompt, rounded down to a `multiple`."""
    if len(prompts) < 2 or any(prompt.pixels for prompt in prompts):
        return 0
    # The lexicographically least and greatest prompts share only what all share.
    low, high = min(prompt.ids for prompt in prompts), max(prompt.ids for prompt in prompts)
    limit = min(len(prompt.ids) for prompt in prompts) - 1
    shared = next((index for index in range(limit) if low[index] != high[index]), limit)
    return shared // multiple * multiple
