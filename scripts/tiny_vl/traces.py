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
from tiny_vl.measure import ask, by_kind
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
        """The reply the policy is to learn."""
        return f"<think>{self.think}</think>\n<answer>{self.answer}</answer>"


def parse(question: Question, replies: Iterable[str], shape: re.Pattern[str]) -> list[Trace]:
    """The replies that have the wanted shape and, once unpacked, some thought."""
    found = [shape.fullmatch(reply) for reply in replies]
    return [Trace(question, *match.groups()) for match in found if match and match.group(1)]


def to_ask(count: int, seed: int) -> list[Question]:
    """Training questions with known captions: a quarter each of shape, colour, yes and no, no image twice."""
    pool = [question for question in shuffled("train", seed) if caption(question)]
    wanted = dict.fromkeys(("shape", "colour", "yes", "no"), count // 4)
    return draw(sorted(pool, key=lambda question: list(wanted).index(question.kind)), wanted)


def choose(asked: Sequence[Question], samples: Sequence[list[Trace]], limit: int, seed: int) -> list[Trace]:
    """At most one right trace to a question, in turn of shape, colour, yes and no, `limit` in all."""
    kinds: defaultdict[str, list[Trace]] = defaultdict(list)
    chance = random.Random(seed)
    for question, traces in zip(asked, samples, strict=True):
        if right := [trace for trace in traces if trace.answer.lower() == question.answer]:
            kinds[question.kind].append(chance.choice(right))
    share = min(limit // len(kinds), *map(len, kinds.values()))
    LOG.info("right traces: %s; kept %d of each", {kind: len(found) for kind, found in kinds.items()}, share)
    kept = [trace for found in kinds.values() for trace in found[:share]]
    chance.shuffle(kept)
    return kept


def from_teacher(cache: Path, asked: Sequence[Question], samples: int) -> list[list[Trace]]:
    """SmolLM2's parsed traces, `samples` to a question, from `cache` or made now."""
    if not cache.exists():
        from tiny_vl.teacher import Teacher

        teacher = Teacher()
        replies = teacher.replies([(caption(q) or "", q.text) for q in asked], samples)
        made = {"seconds": teacher.seconds, "tokens": teacher.tokens, "replies": replies}
        cache.write_text(json.dumps(made, indent=0))
    made = json.loads(cache.read_text())
    replies = made["replies"]
    LOG.info(
        "teacher: %d replies, %.1f tokens each, %.0f s", len(replies), made["tokens"] / len(replies), made["seconds"]
    )
    return _group(asked, replies, samples, TEACHER_REPLY)


def from_policy(
    model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor, asked: Sequence[Question], samples: int
) -> list[list[Trace]]:
    """The policy's own parsed traces, looking at the image, `samples` to a question."""
    rows = [(q.text + THINK, q.split, q.image) for q in asked for _ in range(samples)]
    replies = ask(model, processor, rows, max_new_tokens=80, do_sample=True, temperature=1.0, top_k=0)
    return _group(asked, replies, samples, POLICY_REPLY)


def _group(asked: Sequence[Question], replies: list[str], samples: int, shape: re.Pattern[str]) -> list[list[Trace]]:
    grouped = [parse(question, replies[at * samples : (at + 1) * samples], shape) for at, question in enumerate(asked)]
    right = [[trace.answer.lower() == q.answer for trace in traces] for q, traces in zip(asked, grouped, strict=True)]
    LOG.info("pass@1 %s", by_kind(asked, [sum(each) / samples for each in right]))
    LOG.info("pass@%d %s", samples, by_kind(asked, [any(each) for each in right]))
    return grouped


def thinking_accuracy(
    model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor, asked: Sequence[Question], greedy: bool
) -> dict[str, float]:
    """Accuracy of thought-out answers by kind, and the share of well-formed replies (`formed`)."""
    how = {} if greedy else {"do_sample": True, "temperature": 1.0, "top_k": 0}
    replies = ask(model, processor, [(q.text + THINK, q.split, q.image) for q in asked], max_new_tokens=80, **how)
    traces = [POLICY_REPLY.fullmatch(reply) for reply in replies]
    for reply in replies[:3]:
        LOG.info("  %r", reply)
    right = [bool(found) and found.group(2).lower() == q.answer for found, q in zip(traces, asked, strict=True)]
    return by_kind(asked, right) | {"formed": round(sum(map(bool, traces)) / len(traces), 3)}
