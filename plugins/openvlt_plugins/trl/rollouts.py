"""GRPO's rollouts: TRL's trainer with prompts as vLLM expects them, and rows with and without an image."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

_OF_IMAGES = ("pixel_values", "image_grid_thw", "image_position_ids", "image_sizes", "pixel_attention_mask")


def collapsed(prompt: Sequence[int], image_token: int) -> list[int]:
    """A prompt with each run of image tokens shortened to one, which vLLM expands by itself.

    A processor has already expanded it, so that each image would have its tokens twice (huggingface/trl, issues 6294
    and 6401). Two images next to each other have other tokens between them in all families that have runs.

    Args:
        prompt: token ids, as a processor made them.
        image_token: the id that stands for a patch of an image.
    """
    runs = ((token, list(run)) for token, run in groupby(prompt))
    return [each for token, run in runs for each in ([token] if token == image_token else run)]


def trainer_class(base: Any) -> Any:
    """TRL's `GRPOTrainer` or a subclass, mended where it trains on corrupted prompts or stops at rows of no image."""

    class Trainer(base):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            for model in (self.model, self.ref_model):
                if model is not None:
                    model.register_forward_pre_hook(_without_no_images, with_kwargs=True)

        def _generate_single_turn(self, prompt_ids: Any, *others: Any, **options: Any) -> Any:
            if self.use_vllm and self.vllm_mode == "colocate" and hasattr(self.processing_class, "image_token_id"):
                prompt_ids = [collapsed(prompt, self.processing_class.image_token_id) for prompt in prompt_ids]
            return super()._generate_single_turn(prompt_ids, *others, **options)

        def _generate(self, prompts: Any) -> Any:
            *made, images, of_tools = super()._generate(prompts)
            # None among lists is no list of images to a processor.
            return (*made, images and [each or [] for each in images], of_tools)

    return Trainer


def _without_no_images(module: Any, arguments: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The inputs of a model without the empty ones of images, where none of the rows has an image."""
    pixels = inputs.get("pixel_values")
    if pixels is None or len(pixels):
        return arguments, inputs
    return arguments, {name: value for name, value in inputs.items() if name not in _OF_IMAGES}


@contextmanager
def readable_by_vllm(model: Any, processor: Any) -> Iterator[None]:
    """While the block runs, the folder of a model has the processor as it is used in the training.

    A colocated vLLM reads the limits of pixels from there, and would see larger or smaller images otherwise.

    Args:
        model: of transformers, loaded from a folder.
        processor: with its limits of pixels.
    """
    before = Path(model.name_or_path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        processor.save_pretrained(folder)
        for file in before.iterdir():
            if not (folder / file.name).exists():
                (folder / file.name).symlink_to(file.resolve())
        model.name_or_path = str(folder)
        try:
            yield
        finally:
            model.name_or_path = str(before)


def forbidden(processor: Any) -> list[int]:
    """Ids that a response must not contain, for the model would take them for patches of an image that is not there."""
    names = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
    vocabulary = getattr(processor, "tokenizer", processor).get_vocab()
    found = {vocabulary[name] for name in names if name in vocabulary}
    found |= {getattr(processor, name, None) for name in ("image_token_id", "video_token_id", "audio_token_id")}
    return sorted(each for each in found if each is not None)
