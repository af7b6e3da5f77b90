"""Second stage: the language side learns to caption, to answer in a word, and to read its teacher, tower frozen."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from tiny_vl.components import IMAGE_TOKENS, PATCH, SIDE
from tiny_vl.easy import describe, picture, questions, scenes
from tiny_vl.prompts import CAPTION, DIRECT, Message, about_image, reply, text_only
from tiny_vl.tower import look

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and its reply, as token ids; `image` is a row of the table of features, or None."""

    ids: Tensor
    reply_from: int
    image: int | None
    positions: Tensor


@dataclass(frozen=True, slots=True)
class Mix:
    """How many rows of each category a batch has."""

    captions: int
    direct: int
    text: int


class Rows:
    """Turns chats into `Row`s for one model and processor."""

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor) -> None:
        self.model, self.tokenizer, self.template = model, processor.tokenizer, processor.apply_chat_template
        side = SIDE // PATCH
        self.grid = torch.tensor([[1, side, side]])
        self.image_token = processor.image_token

    def row(self, prompt: list[Message], answer: str, image: int | None = None) -> Row:
        """Tokenizes a chat of one question and one reply."""
        start = self._ids(self.template(prompt, add_generation_prompt=True))
        whole = self._ids(self.template([*prompt, *reply(answer)])).tolist()
        end = len(whole) - whole[::-1].index(self.tokenizer.eos_token_id)
        ids = torch.tensor(whole[:end])
        is_image = (ids == self.model.config.image_token_id).int()
        if image is None:
            positions = torch.arange(len(ids)).expand(3, -1)
        else:
            positions = self.model.model.get_rope_index(ids[None], is_image[None], image_grid_thw=self.grid)[0][:, 0]
        return Row(ids, len(start), image, positions)

    def _ids(self, text: str) -> Tensor:
        text = text.replace(self.image_token, self.image_token * IMAGE_TOKENS)
        return torch.tensor(self.tokenizer(text, add_special_tokens=False).input_ids)

    def captions(self) -> list[Row]:
        """One row per training image with known colour and shape."""
        return [
            self.row(about_image(CAPTION), describe(scene.colour, scene.shape, scene.position), image)
            for image, scene in scenes("train").items()
            if scene.colour and scene.shape
        ]

    def direct(self, count: int, seed: int) -> list[Row]:
        """`count` bare answers, a third each for shape, colour and yes/no."""
        counts = {"shape": count // 3, "colour": count // 3, "yes": count // 6, "no": count // 6}
        pool = list(questions("train"))
        random.Random(seed).shuffle(pool)
        chosen = [q for name, wanted in counts.items() for q in [q for q in pool if q.category == name][:wanted]]
        return [self.row(about_image(q.text + DIRECT), q.answer, q.image) for q in chosen]

    def texts(self, read: Sequence[tuple[str, str]]) -> list[Row]:
        """The teacher's prompts and replies, without an image."""
        return [self.row(text_only(prompt), answer) for prompt, answer in read]


@torch.inference_mode()
def features(model: Qwen2_5_VLForConditionalGeneration, count: int) -> Tensor:
    """The frozen tower's view of the first `count` training images, (count, 16, width)."""
    chunks = [range(at, min(at + 64, count)) for at in range(0, count, 64)]
    return torch.cat([look(model, [picture("train", image) for image in chunk]) for chunk in chunks]).clone()


def loss_of(model: Qwen2_5_VLForConditionalGeneration, rows: list[Row], table: Tensor) -> Tensor:
    """The mean cross-entropy of the rows' replies."""
    pad = model.config.text_config.pad_token_id
    ids = nn.utils.rnn.pad_sequence([row.ids for row in rows], batch_first=True, padding_value=pad)
    positions = torch.stack([functional.pad(row.positions, (0, ids.shape[1] - len(row.ids))) for row in rows], dim=1)
    labels = ids.clone()
    for row, label in zip(rows, labels, strict=True):
        label[: row.reply_from] = -100
        label[len(row.ids) :] = -100
    embeds = model.get_input_embeddings()(ids)
    seen = [row.image for row in rows if row.image is not None]
    if seen:
        embeds = embeds.masked_scatter((ids == model.config.image_token_id)[..., None], table[seen])
    # Padding is on the right, which a causal model does not attend to, so no mask is needed and attention is faster.
    hidden = model.model.language_model(inputs_embeds=embeds, position_ids=positions, use_cache=False).last_hidden_state
    wanted = labels[:, 1:] != -100
    return functional.cross_entropy(model.lm_head(hidden[:, :-1][wanted]), labels[:, 1:][wanted])


def train_language(
    model: Qwen2_5_VLForConditionalGeneration,
    categories: tuple[list[Row], list[Row], list[Row]],
    table: Tensor,
    mix: Mix,
    steps: int,
    seed: int,
    rate: float = 2e-3,
) -> None:
    """Trains the language model in place.

    Args:
        model: with its tower trained; the tower is not touched.
        categories: captions, direct answers and texts.
        table: `features` of the training images.
        mix: rows of each category in a batch.
        steps: number of batches.
        seed: of the draw of rows.
        rate: highest learning rate.
    """
    chance = random.Random(seed)
    weights = list(model.model.language_model.parameters())
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    start = time.monotonic()
    for step in range(steps):
        counts = zip(categories, (mix.captions, mix.direct, mix.text), strict=True)
        batches = [chance.choices(rows, k=count) for rows, count in counts if rows and count]
        # One pass per category, since rows with an image and texts differ in length.
        losses = [loss_of(model, batch, table) for batch in batches]
        loss = sum(value * len(batch) for value, batch in zip(losses, batches, strict=True)) / sum(map(len, batches))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            each = ", ".join(f"{value.item():.3f}" for value in losses)
            LOG.info("language %d/%d: losses %s, %.0f s", step + 1, steps, each, time.monotonic() - start)
