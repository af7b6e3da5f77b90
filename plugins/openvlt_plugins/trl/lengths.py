"""How long the rows of a training are in tokens, so that one over the model's context is refused before it begins."""

from __future__ import annotations

from typing import Any

from openvlt import DataError, Message, PlainText, TrainJob
from openvlt_plugins.trl.dataset import Reply, turn

_SIDES = ((4096, 4096), (4096, 2048), (2048, 4096), (4096, 1024), (1024, 4096))
"""Height and width of images so large that a processor makes as many tokens of them as it makes of any."""


def longest(job: TrainJob, processor: Any, context: int | None, response: int = 0, **replies: Reply) -> int:
    """Tokens of the longest row at most: prompt, images, and response.

    The images of a row are taken for as large as can be; only where the row would then be over the context are they
    read and counted.

    Args:
        job: provides the examples.
        processor: of the model, or its tokenizer.
        context: of the model in tokens; None for no limit.
        response: tokens of a response that is yet to be written.
        replies: columns of assistant replies; see `dataset.lazy`.

    Raises:
        DataError: which row is over the context, and by how much.
    """
    from trl import apply_chat_template

    tokenizer = getattr(processor, "tokenizer", processor)
    plain, most, image_tokens = PlainText(tokenizer), 0, _image_tokens(processor)
    examples = job.examples()
    sees = any(example.images for example in examples)
    for index, example in enumerate(examples):
        prompt = [turn(message, sees, plain) for message in job.format.prompt(example)]
        for write in replies.values() or (None,):
            row: dict[str, Any] = {"prompt": prompt}
            if write:
                row["completion"] = [turn(Message.assistant(write(index)), sees, plain)]
            written = apply_chat_template(row, processor)
            length = sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in written.values())
            length += response
            if images := len(example.images):
                if image_tokens is None or (context is not None and length + images * image_tokens > context):
                    pictures = [job.read(image) for image in example.images]
                    asked = processor(images=pictures, text=[written["prompt"]], add_special_tokens=False)
                    text = tokenizer(written["prompt"], add_special_tokens=False)["input_ids"]
                    length += len(asked["input_ids"][0]) - len(text)
                else:
                    length += images * image_tokens
            if context is not None and length > context:
                raise DataError(
                    f"Row {index + 1} (example '{example.id}') is {length:,} tokens long with its response, over the "
                    f"{context:,} of the model's context.",
                    "Drop such rows with a filter, allow fewer pixels or tokens, or set the model's context higher.",
                )
            most = max(most, length)
    return most


def _image_tokens(processor: Any) -> int | None:
    """Tokens of the largest image, or None if the processor cannot tell."""
    count = getattr(processor, "_get_num_multimodal_tokens", None)  # what vLLM asks of transformers' processors
    if count is None:
        return None
    try:
        return int(max(count(image_sizes=[list(side) for side in _SIDES])["num_image_tokens"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
