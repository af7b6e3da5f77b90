"""Builds and pre-trains the tiny base model of the quickstart, a real Qwen2.5-VL of two million parameters.

    uv run python scripts/pretrain_tiny_vl.py --out tasks/openvlt_tasks/models/tiny_vl

Three stages: SmolLM2 writes replies to captions and questions (cached under --work), the vision tower learns colours,
shapes and positions from drawn shapes, and the language side learns to caption, to answer in a word (a little), and to
read its teacher's prose. The base should be weak at answering and able to learn reasoning from a few hundred traces.
"""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from tiny_vl import easy
from tiny_vl.card import write_card
from tiny_vl.components import make_model, make_processor, make_tokenizer
from tiny_vl.language import Mix, Rows, features, train_language
from tiny_vl.measure import caption_accuracy, direct_accuracy
from tiny_vl.prompts import CAPTION, DIRECT, THINK
from tiny_vl.tower import train_tower
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

from openvlt_plugins.smollm2.prompt import user_text

LOG = logging.getLogger("pretrain_tiny_vl")


def read_texts(cache: Path, count: int, seed: int) -> list[tuple[str, str]]:
    """The teacher's prompts and replies for `count` training questions, from `cache` or generated."""
    if not cache.exists():
        from tiny_vl.teacher import Teacher

        torch.manual_seed(seed)
        # More yes/no questions than others, since the teacher's replies to them vary most.
        wanted = {"shape": 1000, "colour": 1000, "yes": 500, "no": 500}
        drawn = easy.draw(easy.shuffled("train", seed), wanted)
        pairs = [(caption, q.text) for q in drawn if (caption := easy.caption(q))][:count]
        teacher = Teacher()
        replies = teacher.replies(pairs)
        rows = [(user_text(*pair), reply) for pair, reply in zip(pairs, replies, strict=True)]
        cache.write_text(json.dumps(rows, indent=0))
        LOG.info("teacher: %d replies, %d tokens, %.0f s", len(rows), teacher.tokens, teacher.seconds)
    return [(prompt, reply) for prompt, reply in json.loads(cache.read_text())]


def train(options: argparse.Namespace) -> dict[str, float]:
    """Runs the three stages and saves the model; returns the seconds of each and the sizes of the data."""
    torch.manual_seed(options.seed)
    clock = [time.monotonic()]
    texts = read_texts(options.work / "teacher.json", options.texts, options.seed)
    clock.append(time.monotonic())

    prompts = [q.text + suffix for q in easy.questions("train")[:4000] for suffix in (DIRECT, THINK)]
    captions = [caption for q in easy.questions("train") if (caption := easy.caption(q))]
    read = [text for pair in texts for text in pair] * 4
    torch.manual_seed(options.seed)  # again, so that cached replies give the same model
    tokenizer = make_tokenizer(
        [*read, *prompts, *captions[:4000], CAPTION, "user\n", "assistant\n"], options.vocabulary
    )
    processor, model = make_processor(tokenizer), make_model(tokenizer)
    LOG.info("%d parameters, %d tokens", model.num_parameters(), len(tokenizer))

    tower = options.work / f"tower-{options.tower_steps}.pt"
    if tower.exists():
        model.model.visual.load_state_dict(torch.load(tower, weights_only=True))
    else:
        train_tower(model, options.tower_steps, options.seed)
        torch.save(model.model.visual.state_dict(), tower)
    clock.append(time.monotonic())

    rows = Rows(model, processor)
    categories = (rows.captions(), rows.direct(options.direct, options.seed), rows.texts(texts))
    table = features(model, easy.FIRST_DEV_IMAGE)
    train_language(model, categories, table, Mix(30, 0, 34), options.language_steps, options.seed)
    # A few questions and steps at the end: enough to learn the form of a bare answer, too few to answer well.
    train_language(model, categories, table, Mix(28, 4, 32), options.direct_steps, options.seed + 1, rate=1e-3)
    clock.append(time.monotonic())

    options.out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(options.out)
    processor.save_pretrained(options.out)
    seconds = dict(zip(("teacher", "tower", "language"), (b - a for a, b in pairwise(clock)), strict=True))
    counts = dict(zip(("captions", "direct", "texts"), map(len, categories), strict=True))
    return {"parameters": model.num_parameters(), "tokens": len(tokenizer), **counts, **seconds}


def measure(folder: Path, split: easy.Split, seed: int) -> dict[str, float]:
    """Scores of the saved model, loaded as a user would load it."""
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
    ).eval()
    share, images = caption_accuracy(model, processor, split)
    questions = easy.balanced(split, 390 if split == "dev" else 900, seed)
    blind = easy.blind_answers()
    guessed = sum(blind.get(q.text) == q.answer for q in questions) / len(questions)
    direct = direct_accuracy(model, processor, questions)
    return {"caption_accuracy": share, "images": images, "questions": len(questions), "blind": guessed, **direct}


def main() -> None:
    """Reads the options, trains, measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument(
        "--work", type=Path, default=Path(".work"), help="folder of the cached teacher replies and tower"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--texts", type=int, default=1400, help="teacher replies to read")
    parser.add_argument("--vocabulary", type=int, default=900, help="tokens")
    parser.add_argument("--direct", type=int, default=42, help="training questions answered in a word")
    parser.add_argument("--tower-steps", type=int, default=600)
    parser.add_argument("--language-steps", type=int, default=450, help="batches of captions and texts")
    parser.add_argument("--direct-steps", type=int, default=80, help="then batches that hold one-word answers too")
    parser.add_argument("--measure", choices=("dev", "test"), default="dev", help="tune on dev; test once, at the end")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    facts = train(options) | measure(options.out, options.measure, options.seed)
    LOG.info("%s", json.dumps(facts, indent=2))
    given = {
        "command": shlex.join(sys.argv[1:]),
        "seed": options.seed,
        "split": options.measure,
        "tower_steps": options.tower_steps,
        "language_steps": options.language_steps,
        "direct_steps": options.direct_steps,
        "megabytes": (options.out / "model.safetensors").stat().st_size / 1e6,
    }
    write_card(options.out, facts | given)


if __name__ == "__main__":
    main()
