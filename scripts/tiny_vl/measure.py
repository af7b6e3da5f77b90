"""Asks a tiny model and measures its replies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from tiny_vl.easy import ANSWERS, COLOURS, SHAPES, Question, Split, picture, scenes
from tiny_vl.prompts import CAPTION, DIRECT, about_image


@torch.inference_mode()
def ask(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    asked: Sequence[tuple[str, Split, int]],
    max_new_tokens: int = 24,
    batch: int = 128,
    **sampling: Any,
) -> list[str]:
    """Replies to (text, split, image id), in order; greedy unless `sampling` says otherwise."""
    said: list[str] = []
    for at in range(0, len(asked), batch):
        rows = asked[at : at + batch]
        texts = [processor.apply_chat_template(about_image(text), add_generation_prompt=True) for text, _, _ in rows]
        images = [[picture(split, image)] for _, split, image in rows]
        given = processor(text=texts, images=images, padding=True, padding_side="left", return_tensors="pt")
        output = model.generate(**given, max_new_tokens=max_new_tokens, **sampling)
        fresh = output[:, given["input_ids"].shape[1] :]
        said += processor.batch_decode(fresh, skip_special_tokens=True)
    return [text.strip() for text in said]


def caption_accuracy(
    model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor, split: Split
) -> tuple[float, int]:
    """Share of captions that name colour and shape rightly and no other, of the images whose labels are known."""
    known = [(image, scene) for image, scene in scenes(split).items() if scene.colour and scene.shape]
    said = ask(model, processor, [(CAPTION, split, image) for image, _ in known])
    words = [set(caption.lower().strip(".").split()) for caption in said]
    right = [
        named & set(COLOURS) == {scene.colour} and named & set(SHAPES) == {scene.shape}
        for named, (_, scene) in zip(words, known, strict=True)
    ]
    return sum(right) / len(right), len(right)


def direct_accuracy(
    model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor, asked: list[Question]
) -> dict[str, float]:
    """Accuracy of one-word answers by kind, and the share of replies that are no bare answer (`unparsed`)."""
    said = ask(model, processor, [(q.text + DIRECT, q.split, q.image) for q in asked], max_new_tokens=8)
    scores = by_kind(asked, [text == q.answer for text, q in zip(said, asked, strict=True)])
    return scores | {"unparsed": sum(text not in ANSWERS for text in said) / len(said)}


def by_kind(asked: Sequence[Question], right: Sequence[float]) -> dict[str, float]:
    """The mean of a score over all questions and for each kind."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for question, good in zip(asked, right, strict=True):
        groups["all"].append(good)
        groups[question.kind].append(good)
    return {kind: round(sum(group) / len(group), 3) for kind, group in sorted(groups.items())}
