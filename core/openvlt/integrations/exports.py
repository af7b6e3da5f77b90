"""Traces and questions in the formats that other trainers read.

Sources of the formats: LLaMA-Factory ``data/README.md`` (ShareGPT), EasyR1 ``verl/utils/dataset.py`` (``problem``,
``answer``, ``images``), verl ``examples/data_preprocess/geo3k.py`` and ``verl/utils/dataset/rl_dataset.py``, TRL
``docs/source/dataset_formats.md`` (conversational prompt and completion with images).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from openvlt.errors import DataError
from openvlt.integrations.claims import pack
from openvlt.integrations.parquet import Column, Contents, pictures, write_shards
from openvlt.records import PLACEHOLDER, Format, Image, Message, Row
from openvlt.stages.training_rows import training_rows
from openvlt.store import image_format

MESSAGES: Column = [{"role": "string", "content": "string"}]
TRL: Mapping[str, Column] = {"prompt": MESSAGES, "completion": MESSAGES, "images": ["image"]}
EASYR1: Mapping[str, Column] = {"problem": "string", "answer": "string", "images": ["image"]}
VERL: Mapping[str, Column] = {
    "data_source": "string",
    "prompt": MESSAGES,
    "images": ["image"],
    "ability": "string",
    "reward_model": {"style": "string", "ground_truth": "string"},
    "extra_info": {
        "index": "int64", "split": "string", "id": "string", "question": "string", "choices": ["string"],
        "answer_type": "string", "precision": "int32", "unit": "string", "example": "string",
    },
}  # fmt: skip
"""Columns of the formats that are Parquet."""


def export_sharegpt(rows: Iterable[Row], format: Format, images: Contents, folder: Path, name: str) -> int:
    """Write the traces for LLaMA-Factory: ``NAME.jsonl``, ``images/`` and ``dataset_info.json``.

    Args:
        rows: of a select stage.
        format: words prompt and reply.
        images: has the rows' images, which are copied.
        folder: LLaMA-Factory's ``dataset_dir``.
        name: of the data set.

    Returns:
        The number of records.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    info = {
        "file_name": f"{name}.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {**tags, "system_tag": "system"},
    }
    count = 0
    with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for example, (trace,) in training_rows(rows, "traces"):
            paths = [_copied(image, images, folder) for image in example.images]
            reply = {"role": "assistant", "content": _plain(format.target(trace))}
            turns = [*map(_marked, format.prompt(example)), reply]
            file.write(json.dumps({"messages": turns, "images": paths}, ensure_ascii=False) + "\n")
            count += 1
    (folder / "dataset_info.json").write_text(json.dumps({name: info}, indent=2) + "\n", encoding="utf-8")
    return count


def export_easyr1(rows: Iterable[Row], format: Format, images: Contents, folder: Path, name: str) -> int:
    """Write the questions for EasyR1, each once: Parquet with ``problem``, ``answer`` and ``images``.

    The problem has no instruction how to answer: EasyR1 adds its own prompt template. The answer is the whole example,
    since EasyR1 hands over nothing else to a reward, which needs its choices, type and id.
    """

    def records() -> Iterator[dict[str, Any]]:
        bare = Format(suffix="", think=format.think, answer=format.answer)
        for row in rows:
            if row.example.history:
                raise DataError(
                    f"The example {row.example.id} has turns before its question, which EasyR1 cannot be given.",
                    "Export for verl, or drop such examples.",
                )
            (turn,) = bare.prompt(row.example)
            yield {
                "problem": _marked(turn)["content"],
                "answer": pack(row.example),
                "images": pictures(row.example, images),
            }

    return write_shards(folder / "data", EASYR1, records())


def export_verl(rows: Iterable[Row], format: Format, images: Contents, folder: Path, name: str) -> int:
    """Write the questions for verl, each once, with the instruction how to answer: verl adds none.

    ``extra_info`` has what `openvlt.compute_score` uses of a question, and the whole example.
    """

    def records() -> Iterator[dict[str, Any]]:
        for index, row in enumerate(rows):
            example = row.example
            known = {field: getattr(example, field) for field in ("id", "question", "answer_type", "precision", "unit")}
            yield {
                "data_source": example.source,
                "prompt": [_marked(turn) for turn in format.prompt(example)],
                "images": pictures(example, images),
                "ability": "vqa",
                "reward_model": {"style": "rule", "ground_truth": example.answer},
                "extra_info": {"index": index, "split": "train", "choices": list(example.choices), **known}
                | {"example": pack(example)},
            }

    return write_shards(folder / "data", VERL, records())


def export_trl(rows: Iterable[Row], format: Format, images: Contents, folder: Path, name: str) -> int:
    """Write the traces for TRL's SFTTrainer: Parquet with ``prompt`` and ``completion`` messages and ``images``.

    Text has no placeholders: TRL puts those in front of the first user turn, where openvlt has the images too.
    """

    def records() -> Iterator[dict[str, Any]]:
        for example, (trace,) in training_rows(rows, "traces"):
            prompt = [{"role": turn.role, "content": _text(turn)} for turn in format.prompt(example)]
            reply = {"role": "assistant", "content": format.target(trace)}
            yield {"prompt": prompt, "completion": [reply], "images": pictures(example, images)}

    return write_shards(folder / "data", TRL, records())


EXPORTS: dict[str, Callable[[Iterable[Row], Format, Contents, Path, str], int]] = {
    "sharegpt": export_sharegpt,
    "easyr1": export_easyr1,
    "verl": export_verl,
    "trl": export_trl,
}


def _text(turn: Message) -> str:
    return "".join(part for part in turn.content if isinstance(part, str))


def _marked(turn: Message) -> dict[str, str]:
    """A turn with a placeholder for each image; text that looks like a placeholder is replaced."""
    parts = (_plain(part) if isinstance(part, str) else PLACEHOLDER for part in turn.content)
    return {"role": turn.role, "content": "".join(parts)}


def _plain(text: str) -> str:
    return text.replace(PLACEHOLDER, "[image]")


def _copied(image: Image, images: Contents, folder: Path) -> str:
    """Copy an image, named with the extension of its format; returns its path relative to the folder."""
    content = images.content(image)
    target = folder / "images" / f"{image.sha256}.{image_format(content)}"
    if not target.exists():
        target.write_bytes(content)
    return target.relative_to(folder).as_posix()
