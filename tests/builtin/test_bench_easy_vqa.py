"""The benchmark easy-vqa agrees, item by item, with a script that knows nothing of openvlt's engine and scoring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from openvlt.__main__ import run

TINY = Path(__file__).parents[2] / "tasks" / "openvlt_tasks" / "models" / "tiny_vl"
QUESTIONS = 12


def independent(rows: list[dict[str, object]], images: Path) -> Iterator[bool]:
    """Ask the model with transformers alone, one question at a time, greedily, and compare words."""
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(TINY)
    model = AutoModelForImageTextToText.from_pretrained(TINY, dtype=torch.float32).eval()
    for row in rows:
        example = row["example"]
        digest = example["images"][0]["sha256"]
        with Image.open(images / digest[:2] / digest) as picture:
            image = picture.convert("RGB")
        content = [{"type": "image"}, {"type": "text", "text": f"{example['question']}\nAnswer with one word."}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = processor(text=[prompt], images=[image], return_tensors="pt")
        with torch.inference_mode():
            tokens = model.generate(**inputs, max_new_tokens=16, do_sample=False)
        said = processor.tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        yield said.strip().strip(".").lower() == example["answer"]


@pytest.mark.skipif(not TINY.is_dir(), reason="needs the tiny base")
@pytest.mark.slow
def test_agrees_with_an_independent_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    told = [
        "bench",
        "easy-vqa",
        "--model",
        str(TINY),
        "--limit",
        str(QUESTIONS),
        "--max-tokens",
        "16",
        "--dtype",
        "float32",
    ]
    assert run(told) == 0
    (file,) = tmp_path.glob("runs/*/rows.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    ours = [row["judged"][0]["verdicts"]["exact"]["status"] == "correct" for row in rows]
    assert len(ours) == QUESTIONS
    assert ours == list(independent(rows, tmp_path / "images"))
    assert any(ours)
