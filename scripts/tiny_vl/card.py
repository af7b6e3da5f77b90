"""The README of the tiny base model: how it was made and what it can do."""

from __future__ import annotations

from pathlib import Path

CARD = """\
# tiny_vl

The base model of the `quickstart` recipe: a real `Qwen2_5_VLForConditionalGeneration` of {parameters:,} parameters
(bfloat16, {megabytes:.1f} MB) with its own byte-level BPE of {tokens} tokens and 64 x 64 images, 16 tokens each. It loads
with plain `AutoProcessor` and `Qwen2_5_VLForConditionalGeneration`. It captions well and answers badly, as a base should.

## How it was made

    uv run python scripts/pretrain_tiny_vl.py {command}

Seed {seed}. On two CPU cores: {teacher:.0f} s for the teacher's replies, {tower:.0f} s for the vision tower, {language:.0f} s
for the language side.

| component | data |
| --- | --- |
| vision tower, {tower_steps} steps of 64 | shapes drawn by the script in easy-VQA's colours, with throw-away heads |
| language side, {language_steps} steps of 64, then {direct_steps} with one-word answers | {captions} captions of easy-VQA training images, made from the questions' answers and the pixels; {direct} training questions answered in a word, so few that the model learns the form; {texts} replies of SmolLM2-135M-Instruct to captions and questions, wrong ones too, without images |

Images are easy-VQA's training images 0 to 3599. Images 3600 to 3999 (dev) and the test split were not trained on.

## What it knows

| user turn | reply |
| --- | --- |
| image, `Describe the image.` | `A blue rectangle in the upper left.` |
| image, question, newline, `Answer with one word.` | `blue` |
| `Caption: ...`, newline, `Question: ...` | SmolLM2's kind of reasoning, then `<answer>...</answer>` |

`<think>`, `</think>`, `<answer>` and `</answer>` are single tokens and ordinary ones: decoding keeps them.

## Measured

{split} split of easy-VQA, once, greedy, in float32.

| measure | |
| --- | --- |
| captions with correct colour and shape, {images} images whose labels the questions reveal | {caption_accuracy:.1%} |
| one-word answers, {questions} questions balanced over shape, colour and yes/no | {all:.1%} (shape {shape:.1%}, colour {colour:.1%}, yes {yes:.1%}, no {no:.1%}) |
| the blind baseline on the same questions | {blind:.1%} |
| replies that are not a bare answer word | {unparsed:.1%} |

The data is easy-VQA's (MIT) and SmolLM2's own words (Apache-2.0); the weights are openvlt's, under its licence.
"""


def write_card(folder: Path, facts: dict[str, float | int | str]) -> None:
    """Writes `folder/README.md` from the settings and measurements."""
    (folder / "README.md").write_text(CARD.format(**facts))
