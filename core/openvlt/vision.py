"""What differs between families of vision-language models: limits of pixels, and tokens that stand for pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from openvlt.errors import UsageError

Settings: TypeAlias = Mapping[str, Any]
_LONGEST_EDGE = 4096  # the most that SmolVLM's and Idefics3's take, whatever their settings
_SOFT_TOKENS = (70, 140, 280, 560, 1120)  # what Gemma 4's allows for an image
_VISUAL = re.compile(r"(image|video|vision|audio|[be]o[ia])(_start|_end)?_token_(id|index)")


def visual_tokens(config: Any, words: int) -> list[int]:
    """Ids of the tokens that stand for pixels or sound, or enclose them; a reply with one of them is not text.

    Args:
        config: of a model, in transformers.
        words: the width of its logits; published configurations name ids beyond it, too.
    """
    found = {value for name, value in config.to_dict().items() if _VISUAL.fullmatch(name) and isinstance(value, int)}
    return sorted(id for id in found if 0 <= id < words)


def limit_pixels(processor: Any, config: Any, pixels: tuple[int, int]) -> None:
    """Make a processor resize every image to a number of pixels between two limits.

    Args:
        processor: of a model, in transformers; its settings are changed.
        config: of the model; a setting that it has too is changed there as well. None where it is loaded elsewhere.
        pixels: least and most pixels, see `within_pixels`.

    Raises:
        UsageError: the processor cannot keep them, or the model reads no images.
    """
    images = getattr(processor, "image_processor", None)
    if images is None:
        raise UsageError("The model reads text only, so that it has no pixels to limit.", "Remove the key pixels.")
    for name, value in within_pixels(images.to_dict(), pixels).items():
        setattr(images, name, value)
        if hasattr(config, name):
            setattr(config, name, value)


def within_pixels(settings: Settings, pixels: tuple[int, int]) -> dict[str, Any]:
    """The settings of an image processor under which every image stays within limits.

    Args:
        settings: of the processor, as its file has them.
        pixels: least and most pixels, width times height after resizing; an overview beside tiles does not count. Where
            sides are multiples of a patch, they are rounded.

    Raises:
        UsageError: it cannot keep them.
        KeyError: the settings are not complete, as in a file that leaves out the usual ones.
    """
    kind = _kind(str(settings["image_processor_type"]))
    low, high = pixels
    found = KINDS.get(kind, _unknown)(settings, low, high) if low <= high else "cannot, for the first is the larger"
    if isinstance(found, str):
        raise UsageError(
            f"Images cannot have {low:,} to {high:,} pixels (pixels: [{low}, {high}]): {kind} {found}.",
            "Choose other limits, or remove them.",
        )
    return found


def counts_pixels(settings: Settings) -> bool:
    """True if the size in the settings is a number of pixels; of other processors it is edges, tiles or tokens."""
    return KINDS.get(_kind(str(settings.get("image_processor_type")))) is _area


def _kind(name: str) -> str:
    return name.removesuffix("Fast").removesuffix("Pil")


def _area(settings: Settings, low: int, high: int) -> dict[str, Any]:
    """Total pixels."""
    return {"size": {"shortest_edge": low, "longest_edge": high}}


def _volume(settings: Settings, low: int, high: int) -> dict[str, Any]:
    """Total pixels of all frames; an image is several."""
    frames = settings["temporal_patch_size"]
    return _area(settings, low * frames, high * frames)


def _fixed(settings: Settings, low: int, high: int) -> dict[str, Any] | str:
    """Nothing: an image has one size, which must be within."""
    height, width = settings["size"]["height"], settings["size"]["width"]
    return {} if low <= height * width <= high else f"makes every image {width} x {height}"


def _tokens(settings: Settings, low: int, high: int) -> dict[str, Any] | str:
    """The number of tokens: 70, 140, 280, 560 or 1120."""
    token = (settings["patch_size"] * settings["pooling_kernel_size"]) ** 2
    most = max((count for count in _SOFT_TOKENS if count * token <= high), default=0)
    if most and low <= most // 2 * token:  # sides are rounded down, which may halve a narrow image
        return {"max_soft_tokens": most}
    return f"has at most {' or '.join(map(str, _SOFT_TOKENS))} tokens of {token} pixels, in a narrow image half of them"


def _tiles(settings: Settings, low: int, high: int) -> dict[str, Any] | str:
    """The least and most tiles."""
    tile = settings["size"]["height"] * settings["size"]["width"]
    least, most = -(-low // tile), high // tile
    if least <= most:
        return {"crop_to_patches": True, "min_patches": least, "max_patches": most}
    return f"makes tiles of {tile:,} pixels"


def _grid(settings: Settings, low: int, high: int) -> dict[str, Any] | str:
    """Which sizes of its grid of tiles are used."""
    sizes = settings["image_grid_pinpoints"]
    kept = [[height, width] for height, width in sizes if low <= height * width <= high]
    return {"image_grid_pinpoints": kept} if kept else f"has the sizes {sizes} alone"


def _edge(settings: Settings, low: int, high: int) -> dict[str, Any] | str:
    """The longest edge, in tiles."""
    tile = settings["max_image_size"]["longest_edge"]
    if not settings["do_image_splitting"]:
        return _fixed({"size": {"height": tile, "width": tile}}, low, high)
    count = min(math.isqrt(high), _LONGEST_EDGE) // tile
    if count and low <= count * tile**2:
        return {"size": {"longest_edge": count * tile}}
    return f"makes tiles of {tile} x {tile}, as many in a square as the square of those in a narrow image"


def _unknown(settings: Settings, low: int, high: int) -> str:
    return "has no limits that are known here"


KINDS: Mapping[str, Callable[[Settings, int, int], dict[str, Any] | str]] = {
    "Gemma3ImageProcessor": _fixed,
    "Gemma4ImageProcessor": _tokens,
    "Glm46VImageProcessor": _volume,
    "Glm4vImageProcessor": _volume,
    "GotOcr2ImageProcessor": _tiles,
    "Idefics3ImageProcessor": _edge,
    "LlavaOnevisionImageProcessor": _grid,
    "Qwen2VLImageProcessor": _area,
    "SmolVLMImageProcessor": _edge,
}
"""What each class of image processor is told; `docs/backends.md` shows the first line of each function."""
