"""GRPO's rollouts: TRL's trainer with prompts as vLLM expects them, and rows with and without an image."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from openvlt import OpenvltError, TrainJob

LARGEST = 4e9
"""Parameters of the largest model whose rollouts transformers writes unasked. It generates the responses of a device in
one batch that ends with the longest; of a 7B and the defaults keys and values alone are 390 GB."""
START_SECONDS = 1800.0
"""How long a server may load and compile a model; its death is noticed at once."""
MISMATCH = 0.5
"""Mean difference of log-probabilities at which a training ends: prompts or weights that differ make it 0.8 to 2,
rounding to bf16 0.02 at most (measured on a tiny model)."""
_DIFFERENCE = "sampling/sampling_logp_difference/mean"
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
            if self.use_vllm:
                self.vllm_generation.sync_weights = synchronised(self.vllm_generation)

        def _generate_single_turn(self, prompt_ids: Any, *others: Any, **options: Any) -> Any:
            if self.use_vllm and self.vllm_mode == "colocate" and hasattr(self.processing_class, "image_token_id"):
                prompt_ids = [collapsed(prompt, self.processing_class.image_token_id) for prompt in prompt_ids]
            return super()._generate_single_turn(prompt_ids, *others, **options)

        def _generate(self, prompts: Any) -> Any:
            *made, images, of_tools = super()._generate(prompts)
            # None among lists is no list of images to a processor.
            return (*made, images and [each or [] for each in images], of_tools)

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            made = super()._generate_and_score_completions(inputs)
            check_agreement(self._metrics["train" if self.model.training else "eval"].get(_DIFFERENCE, ()))
            return made

    return Trainer


def synchronised(generation: Any) -> Callable[[], None]:
    """TRL's `sync_weights` that also makes vLLM forget what the vision tower of old weights made of images.

    TRL 1.16 resets the cache of prefixes alone. Images are found in the other one by their content, so that each
    further pass over the data would read them as the weights of the pass before did.

    Args:
        generation: TRL's connection to vLLM.
    """
    sync = generation.sync_weights

    def both() -> None:
        sync()
        if generation.mode == "colocate":
            generation.llm.llm_engine.reset_encoder_cache()
        elif generation.accelerator.is_main_process:
            client = generation.vllm_client
            client.session.post(f"{client.base_url}/reset_encoder_cache").raise_for_status()

    return both


def check_agreement(differences: Sequence[float]) -> None:
    """End a training that learns from responses to other prompts, or of other weights, than it believes.

    Args:
        differences: mean absolute differences of log-probabilities of vLLM and the trainer; the last is that of now.

    Raises:
        OpenvltError: it is above `MISMATCH`.
    """
    if differences and differences[-1] > MISMATCH:
        raise OpenvltError(
            f"vLLM and the trainer differ by {differences[-1]:.2f} in the log-probability of a token, where rounding "
            "makes 0.02: vLLM has other weights or other prompts.",
            "Set vllm: off to train without it, or try another release of vLLM.",
        )


def _without_no_images(module: Any, arguments: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The inputs of a model without the empty ones of images, where none of the rows has an image."""
    pixels = inputs.get("pixel_values")
    if pixels is None or len(pixels):
        return arguments, inputs
    return arguments, {name: value for name, value in inputs.items() if name not in _OF_IMAGES}


@contextmanager
def colocated(model: Any, processor: Any, settings: Any) -> Iterator[None]:
    """While the block runs, TRL gives vLLM the processor as it is used in the training, and the trainer's arithmetic.

    By itself vLLM computes in the dtype that was saved, unless that is float32.

    Args:
        model: of transformers, loaded from a folder.
        processor: with its limits of pixels.
        settings: of TRL.
    """
    from trl.generation import vllm_generation

    before, engine = model.name_or_path, vllm_generation.LLM
    with tempfile.TemporaryDirectory() as name:
        _as_used(Path(before), processor, Path(name))
        model.name_or_path = name
        vllm_generation.LLM = partial(engine, dtype=_dtype(model, settings), load_format="safetensors")
        try:
            yield
        finally:
            model.name_or_path, vllm_generation.LLM = before, engine


def start_server(job: TrainJob, model: Any, processor: Any, settings: Any) -> None:
    """Start vLLM's server as TRL wants it, and tell TRL where: on ports that are free now, for this machine alone.

    Of several processes the first starts it, as it alone asks it.

    Args:
        job: the training, with which it ends.
        model: of transformers, loaded from a folder.
        processor: with its limits of pixels.
        settings: of TRL.
    """
    from trl.scripts import vllm_serve

    settings.vllm_server_port, settings.vllm_group_port = _free_port(), _free_port()
    settings.vllm_server_base_url = f"http://127.0.0.1:{settings.vllm_server_port}"
    settings.vllm_server_timeout = START_SECONDS
    if settings.process_index:
        return
    folder = job.folder / "served"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _as_used(Path(model.name_or_path), processor, folder)
    told = vllm_serve.ScriptArguments(
        model=str(folder),
        host="127.0.0.1",
        port=settings.vllm_server_port,
        dtype=_dtype(model, settings),
        tensor_parallel_size=settings.vllm_tensor_parallel_size,
        gpu_memory_utilization=settings.vllm_gpu_memory_utilization,
        max_model_len=settings.vllm_max_model_length,
    )
    # Where weights are received is part of what vLLM calls its development mode.
    job.serve(vllm_serve.build_command(told, ["--load-format", "safetensors"]), {"VLLM_SERVER_DEV_MODE": "1"})


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _dtype(model: Any, settings: Any) -> str:
    """vLLM's name for the arithmetic of the trainer."""
    return "bfloat16" if settings.bf16 else str(model.dtype).removeprefix("torch.")


def _as_used(saved: Path, processor: Any, folder: Path) -> None:
    """Make a folder of a saved model with another processor.

    vLLM reads the limits of pixels from there, and would see larger or smaller images otherwise.
    """
    processor.save_pretrained(folder)
    for file in saved.iterdir():
        if not (folder / file.name).exists():
            (folder / file.name).symlink_to(file.resolve())


def forbidden(processor: Any) -> list[int]:
    """Ids that a response must not contain, for the model would take them for patches of an image that is not there."""
    names = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
    vocabulary = getattr(processor, "tokenizer", processor).get_vocab()
    found = {vocabulary[name] for name in names if name in vocabulary}
    found |= {getattr(processor, name, None) for name in ("image_token_id", "video_token_id", "audio_token_id")}
    return sorted(each for each in found if each is not None)
