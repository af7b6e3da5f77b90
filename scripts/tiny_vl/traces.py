"""Reasoning traces for fine-tuning: from the teacher or from the policy itself, verified by equality of the answer."""

from __future__ import annotations

import json
import logging
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from tiny_vl.easy import Question, caption, draw, shuffled
from tiny_vl.measure import by_category, generate
from tiny_vl.prompts import THINK

LOG = logging.getLogger(__name__)

TEACHER_REPLY = re.compile(r"\s*([^<]*?)\s*<answer>\s*([^<]*?)\s*</answer>\s*")
POLICY_REPLY = re.compile(r"\s*<think>\s*([^<]*?)\s*</think>[^<]*<answer>\s*([^<]+?)\s*</answer>\s*")


@dataclass(frozen=True, slots=True)
class Trace:
    """A chain of thought about one question, with its answer."""

    question: Question
    think: str
    answer: str

    @property
    def target(self) -> str:
        """The reply that the policy should learn."""
        return f"<think>{self.think}</think>\n<answer>{self.answer}</answer>"


def parse(question: Question, replies: Iterable[str], shape: re.Pattern[str]) -> list[Trace]:
    """The replies that match the format and have some reasoning."""
    found = [shape.fullmatch(reply) for reply in replies]
    return [Trace(question, *match.groups()) for match in found if match and match.group(1)]


def teacher_questions(count: int, seed: int) -> list[Question]:
    """Training questions with known captions: a quarter each of shape, colour, yes and no, one per image."""
    pool = [question for question in shuffled("train", seed) if caption(question)]
    wanted = dict.fromkeys(("shape", "colour", "yes", "no"), count // 4)
    return draw(sorted(pool, key=lambda question: list(wanted).index(question.category)), wanted)


def choose(questions: Sequence[Question], samples: Sequence[list[Trace]], limit: int, seed: int) -> list[Trace]:
    """At most one correct trace per question, equally many of each category, `limit` in total."""
    categories: defaultdict[str, list[Trace]] = defaultdict(list)
    chance = random.Random(seed)
    for question, traces in zip(questions, samples, strict=True):
        if right := [trace for trace in traces if trace.answer.lower() == question.answer]:
            categories[question.category].append(chance.choice(right))
    share = min(limit // len(categories), *map(len, categories.values()))
    LOG.info("correct traces: %s; kept %d of each", {name: len(found) for name, found in categories.items()}, share)
    kept = [trace for found in categories.values() for trace in found[:share]]
    chance.shuffle(kept)
    return kept


def from_teacher(cache: Path, questions: Sequence[Question], samples: int) -> list[list[Trace]]:
    """SmolLM2's parsed traces, `samples` per question, from `cache` or generated."""
    if not cache.exists():
        from tiny_vl.teacher import Teacher

        teacher = Teacher()
        replies = teacher.replies([(caption(q) or "", q.text) for q in questions], samples)
        made = {"seconds": teacher.seconds, "tokens": teacher.tokens, "replies": replies}
        cache.write_text(json.dumps(made, indent=0))
    made = json.loads(cache.read_text())
    replies = made["replies"]
    LOG.info(
        "teacher: %d replies, %.1f tokens each, %.0f s", len(replies), made["tokens"] / len(replies), made["seconds"]
    )
    return _group(questions, replies, samples, TEACHER_REPLY)


def from_policy(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    questions: Sequence[Question],
    samples: int,
) -> list[list[Trace]]:
    """The policy's own parsed traces, from the image, `samples` per question."""
    rows = [(q.text + THINK, q.split, q.image) for q in questions for _ in range(samples)]
    replies = generate(model, processor, rows, max_new_tokens=80, do_sample=True, temperature=1.0, top_k=0)
    return _group(questions, replies, samples, POLICY_REPLY)


def _group(
    questions: Sequence[Question], replies: list[str], samples: int, shape: re.Pattern[str]
) -> list[list[Trace]]:
    grouped = [
        parse(question, replies[index * samples : (index + 1) * samples], shape)
        for index, question in enumerate(questions)
    ]
    right = [
        [trace.answer.lower() == q.answer for trace in traces] for q, traces in zip(questions, grouped, strict=True)
    ]
    LOG.info("pass@1 %s", by_category(questions, [sum(each) / samples for each in right]))
    LOG.info("pass@%d %s", samples, by_category(questions, [any(each) for each in right]))
    return grouped


def thinking_accuracy(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: Qwen2_5_VLProcessor,
    questions: Sequence[Question],
    greedy: bool,
) -> dict[str, float]:
    """Accuracy of answers with reasoning by category, and the fraction of well-formed replies (`formed`)."""
    how = {} if greedy else {"do_sample": True, "temperature": 1.0, "top_k": 0}
    replies = generate(
        model, processor, [(q.text + THINK, q.split, q.image) for q in questions], max_new_tokens=80, **how
    )
    traces = [POLICY_REPLY.fullmatch(reply) for reply in replies]
    for reply in replies[:3]:
        LOG.info("  %r", reply)
    right = [bool(found) and found.group(2).lower() == q.answer for found, q in zip(traces, questions, strict=True)]
    return by_category(questions, right) | {"formed": round(sum(map(bool, traces)) / len(traces), 3)}
