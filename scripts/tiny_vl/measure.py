"""Generates replies with a tiny model and scores them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from tiny_vl.easy import ANSWERS, COLOURS, SHAPES, Question, Split, picture, scenes
from tiny_vl.prompts import CAPTION, DIRECT, about_image


@torch.inference_mode()
def generate(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    prompts: Sequence[tuple[str, Split, int]],
    max_new_tokens: int = 24,
    batch: int = 128,
    **sampling: Any,
) -> list[str]:
    """Replies to (text, split, image id), in order; greedy unless `sampling` says otherwise."""
    replies: list[str] = []
    for start in range(0, len(prompts), batch):
        rows = prompts[start : start + batch]
        texts = [processor.apply_chat_template(about_image(text), add_generation_prompt=True) for text, _, _ in rows]
        images = [[picture(split, image)] for _, split, image in rows]
        given = processor(text=texts, images=images, padding=True, padding_side="left", return_tensors="pt")
        output = model.generate(**given, max_new_tokens=max_new_tokens, **sampling)
        new = output[:, given["input_ids"].shape[1] :]
        replies += processor.batch_decode(new, skip_special_tokens=True)
    return [text.strip() for text in replies]


def caption_accuracy(
    model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor, split: Split
) -> tuple[float, int]:
    """Fraction of captions with the correct colour and shape and no other, and the number of images with known labels."""
    known = [(image, scene) for image, scene in scenes(split).items() if scene.colour and scene.shape]
    captions = generate(model, processor, [(CAPTION, split, image) for image, _ in known])
    words = [set(caption.lower().strip(".").split()) for caption in captions]
    correct = [
        named & set(COLOURS) == {scene.colour} and named & set(SHAPES) == {scene.shape}
        for named, (_, scene) in zip(words, known, strict=True)
    ]
    return sum(correct) / len(correct), len(correct)


def direct_accuracy(
    model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor, questions: list[Question]
) -> dict[str, float]:
    """Accuracy of one-word answers by category, and the fraction of replies that are not a bare answer (`unparsed`)."""
    prompts = [(q.text + DIRECT, q.split, q.image) for q in questions]
    replies = generate(model, processor, prompts, max_new_tokens=8)
    scores = by_category(questions, [reply == q.answer for reply, q in zip(replies, questions, strict=True)])
    return scores | {"unparsed": sum(reply not in ANSWERS for reply in replies) / len(replies)}


def by_category(questions: Sequence[Question], scores: Sequence[float]) -> dict[str, float]:
    """The mean score over all questions and for each category."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for question, score in zip(questions, scores, strict=True):
        groups["all"].append(score)
        groups[question.category].append(score)
    return {name: round(sum(group) / len(group), 3) for name, group in sorted(groups.items())}
