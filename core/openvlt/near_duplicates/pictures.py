"""What is left of a picture after it was encoded, resized, cropped, greyed or padded, and how alike two of them are.

Borders are trimmed first: tables and diagrams are on white, and what is left is where they differ. The hash is that of
``phash`` (low frequencies of a cosine transform, by sign: Zauner, "Implementation and Benchmarking of Perceptual Image
Hash Functions", 2010), of 143 bits for 63. The libraries hash the picture as it is, and find few cropped or padded ones
(``tests/benchmarks/near_duplicates.py libraries``); `imagehash` also brings scipy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    Array: TypeAlias = NDArray[np.floating[Any]]
    Hash: TypeAlias = NDArray[np.uint64]

SIDE = 256
"""Pixels of the longer side at which borders are trimmed, so that lines are as faint in a small copy as in a large."""
FAINT, STRONG = 16, 48
"""Levels of grey within which a row of pixels is uniform. Each picture is trimmed by both: a faint frame that one copy
keeps and another loses is then lost in both."""
OUTLIERS = 64
"""One in so many pixels of a row may be lighter, and one darker: corners of frames, noise of JPEG."""
THUMB = 64
FREQUENCIES = 12
WORDS = 3
"""A hash is `FREQUENCIES` squared minus one bits, in so many words of 64."""
SIMPLE, TURNS = 715, 4
"""Bytes as JPEG (quality 50), and changes between dark and light along a row and a column, under which a trimmed
thumbnail shows no more than a shape: 0.5 % of MathVision and TabMWP, and all of easy-VQA. Trimmed, one circle is like
any other: such a picture is compared as a whole, and a cropped or padded copy of it is not found."""
CROPS = ((0.025,) * 4, (0.05,) * 4, (0.05, 0, 0, 0), (0, 0.05, 0, 0), (0, 0, 0.05, 0), (0, 0, 0, 0.05))
"""Parts cut off on the left, top, right and bottom, which a copy may lack: a hash finds it only if it is cut the same,
`likeness` then aligns the two."""

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A picture, small.

    Attributes:
        hash: uint64 of shape (`WORDS`,).
        grey: uint8 of shape (`THUMB`, `THUMB`), what is left without borders.
        colours: int16 of shape (8, 8, 3), the same in RGB.
        ratio: of width to height, without borders.
        is_whole: True if it is not trimmed.
        is_simple: True if the picture shows too little to be trimmed.
    """

    hash: Hash
    grey: NDArray[np.uint8]
    colours: NDArray[np.int16]
    ratio: float
    is_whole: bool
    is_simple: bool


def outlines(picture: Picture) -> list[Outline]:
    """Those of a picture (RGB): trimmed in two ways unless it is too simple for that, and whole."""
    return _outlines(_small(picture))


def hashes(picture: Picture) -> tuple[list[Outline], list[tuple[int, Hash]]]:
    """The outlines of a picture, and the different hashes by which it is found, each with the number of its outline.

    They are those of the outlines themselves, then those of the picture's parts (`CROPS`).
    """
    small = _small(picture)
    whole = _outlines(small)
    found = [(at, outline.hash) for at, outline in enumerate(whole)]
    grey, (width, height) = small.convert("L"), small.size
    for left, top, right, bottom in CROPS:
        part = grey.crop(
            (round(left * width), round(top * height), width - round(right * width), height - round(bottom * height))
        )
        boxes, is_simple = _boxes(part)
        if is_simple == whole[0].is_simple:
            found += [(at, _hash(_thumb(part, box))) for at, box in enumerate(boxes)]
    different: dict[bytes, tuple[int, Hash]] = {}
    for at, hash in found:
        different.setdefault(hash.tobytes(), (at, hash))
    return whole, list(different.values())


def _small(picture: Picture) -> Picture:
    from PIL.Image import Resampling

    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    if scale < 1:
        return picture.resize(size, Resampling.LANCZOS, reducing_gap=2.0)
    return picture.resize(size, Resampling.BILINEAR)


def _outlines(small: Picture) -> list[Outline]:
    import numpy as np
    from PIL.Image import Resampling

    grey, found = small.convert("L"), list[Outline]()
    boxes, is_simple = _boxes(grey)
    for box in boxes:
        thumb = _thumb(grey, box)
        colours = np.asarray(small.resize((8, 8), Resampling.BOX, box=box), dtype=np.int16)
        ratio = (box[2] - box[0]) / (box[3] - box[1])
        is_whole = len(found) == len(boxes) - 1
        found.append(Outline(_hash(thumb), thumb, colours, ratio, is_whole, is_simple))
    return found


def _boxes(grey: Picture) -> tuple[list[Box], bool]:
    """The boxes of the outlines of a picture, the whole last, and whether it is too simple to be trimmed."""
    import numpy as np

    pixels, whole = np.asarray(grey), (0, 0, *grey.size)
    faint = _content(pixels, FAINT)
    if _is_simple(_thumb(grey, faint)):
        return [whole], True
    return [faint, _content(pixels, STRONG), whole], False


def _thumb(grey: Picture, box: Box) -> NDArray[np.uint8]:
    import numpy as np
    from PIL.Image import Resampling

    return np.asarray(grey.resize((THUMB, THUMB), Resampling.BICUBIC, box=box))


def _is_simple(thumb: NDArray[np.uint8]) -> bool:
    import numpy as np
    from PIL import Image

    dark = thumb < (int(thumb.min()) + int(thumb.max())) / 2
    turns = (np.diff(dark, axis=0).sum() + np.diff(dark, axis=1).sum()) / THUMB
    if turns >= TURNS:
        return False
    Image.fromarray(thumb).save(file := BytesIO(), "JPEG", quality=50)
    return file.tell() < SIMPLE


def _content(pixels: NDArray[np.uint8], tolerance: int) -> Box:
    """The box without the uniform rows and columns around it, whatever their colours."""
    left, top, right, bottom = 0, 0, pixels.shape[1], pixels.shape[0]
    width = 0
    while width != (width := right - left):
        above, below = _uniform_ends(pixels[top:bottom, left:right], tolerance)
        top, bottom = top + above, bottom - below
        before, after = _uniform_ends(pixels[top:bottom, left:right].T, tolerance)
        left, right = left + before, right - after
    return left, top, right, bottom


def _uniform_ends(lines: NDArray[np.uint8], tolerance: int) -> tuple[int, int]:
    """How many lines are uniform at the beginning, and how many at the end; 8 are left."""
    import numpy as np

    most = max(len(lines) - 8, 0)
    others = np.flatnonzero(lines.max(1) - lines.min(1) > tolerance)  # may be uniform but for outliers
    first = min(next((at for at in others if not _is_uniform(lines[at], tolerance)), most), most)
    last = next((at for at in others[::-1] if not _is_uniform(lines[at], tolerance)), 0)
    return int(first), int(min(len(lines) - 1 - last, most - first))


def _is_uniform(line: NDArray[np.uint8], tolerance: int) -> bool:
    import numpy as np

    few = len(line) // OUTLIERS
    ordered = np.partition(line, (few, len(line) - 1 - few))
    return int(ordered[-1 - few]) - int(ordered[few]) <= tolerance


def _hash(thumb: NDArray[np.uint8]) -> Hash:
    import numpy as np

    halved = thumb.reshape(THUMB // 2, 2, THUMB // 2, 2).mean((1, 3), dtype=np.float32)
    waves = _waves(THUMB // 2)
    bits = np.zeros(WORDS * 64, bool)
    bits[: FREQUENCIES**2 - 1] = (waves @ halved @ waves.T).ravel()[1:] > 0  # the first is the mean
    return np.packbits(bits).view(np.uint64)


@cache
def _waves(n: int) -> Array:
    import numpy as np

    waves = np.cos(np.pi / n * np.arange(FREQUENCIES)[:, None] * (np.arange(n) + 0.5))
    return waves.astype(np.float32)


ALIKE_IF_SIMPLE = 0.98
"""Likeness of simple pictures under which they are different. Of the 4,000,000 pairs of easy-VQA (train and test) none
reaches it, and a copy of half the size sometimes does not: then a shape is only as unlike as one half a pixel away."""
MOST_ADJUSTED = 0.2
"""By which the two boxes may be moved or scaled against each other, of their half side."""
GREY = 8
"""Levels by which the channels of a picture differ at most, where it may be a grey copy."""
TINT, TINT_OF_SIMPLE = 16, 6
"""Levels by which the hues of two coloured pictures may differ on average; those of 99 % of copies differ by 12. Of
simple pictures, which are not cropped or padded, less: and nowhere by more than 32."""
LEAST_OVERLAP = 0.6


def likeness(one: Outline, other: Outline) -> float:
    """The correlation of two pictures where they overlap, from 0 to 1, after one is moved and scaled onto the other.

    The four parameters (scale and shift of each axis) are found by Gauss-Newton steps from coarse to fine (Lucas and
    Kanade 1981, with the gain of Evangelidis and Psarakis 2008, ECC). Simple pictures are compared as they are.
    """
    import numpy as np

    simple = one.is_simple or other.is_simple
    if (simple and not (one.is_whole and other.is_whole)) or not 0.7 < one.ratio / other.ratio < 1 / 0.7:
        return 0.0
    if _differ_in_colour(one, other, TINT_OF_SIMPLE if simple else TINT):
        return 0.0
    fixed, moved = one.grey.astype(np.float32), other.grey.astype(np.float32)
    at = np.array([1.0, 0.0, 1.0, 0.0])  # scale and shift of x, of y
    for sigma in () if simple else (4.0, 2.0, 1.0):
        blur = _blur(sigma)
        at = _aligned(blur @ fixed @ blur.T, blur @ moved @ blur.T, at)
        if sigma == 4.0 and _correlation(blur @ fixed @ blur.T, blur @ moved @ blur.T, at) < 0.5:
            return 0.0
    detail = (_blur(1.0), _blur(3.0)) if simple else (_blur(0.7), _blur(2.0))
    alike = _correlation(_between(fixed, *detail), _between(moved, *detail), at)
    return 0.0 if simple and alike < ALIKE_IF_SIMPLE else alike


def _between(grey: Array, fine: Array, coarse: Array) -> Array:
    """The detail between two blurs: the shading of rows and headers, which tables share, is not in it."""
    return fine @ grey @ fine.T - coarse @ grey @ coarse.T


def _differ_in_colour(one: Outline, other: Outline, tint: int) -> bool:
    import numpy as np

    if any(np.ptp(each.colours, axis=2).max() <= GREY for each in (one, other)):
        return False  # one may be a grey copy
    hues = [each.colours[..., [0, 2]] - each.colours[..., [1]] for each in (one, other)]
    difference = np.abs(hues[0] - hues[1]).max(2)
    return float(difference.mean()) > tint or (tint == TINT_OF_SIMPLE and int(difference.max()) > 32)


def _aligned(fixed: Array, moved: Array, at: Any) -> Any:
    import numpy as np

    rows, columns = np.gradient(moved)
    for _ in range(5):
        x, y, where = _sampling(at)
        if where is None:
            return at
        target, found = fixed[where], (y @ moved @ x.T)[where]
        target, found = target - target.mean(), found - found.mean()
        gain = max(float((target * found).sum() / ((found**2).sum() + 1e-6)), 0.1)
        by_x, by_y = ((y @ each @ x.T)[where] * (THUMB / 2) for each in (columns, rows))
        centred = _centred()
        across, down = centred[where[1].ravel()][None], centred[where[0].ravel()][:, None]
        slopes = np.stack([each.ravel() for each in (by_x * across, by_x, by_y * down, by_y)])
        slopes -= slopes.mean(1, keepdims=True)
        normal = slopes @ slopes.T
        normal += np.eye(4) * (1e-3 * np.trace(normal) / 4 + 1e-6)
        step = np.clip(np.linalg.solve(normal, slopes @ (target / gain - found).ravel()), -0.1, 0.1)
        at = at + step
        at = np.clip(at, [1 - MOST_ADJUSTED, -MOST_ADJUSTED] * 2, [1 + MOST_ADJUSTED, MOST_ADJUSTED] * 2)
        if np.abs(step).max() < 2e-3:
            break
    return at


def _correlation(fixed: Array, moved: Array, at: Any) -> float:
    import numpy as np

    x, y, where = _sampling(at)
    if where is None:
        return 0.0
    target, found = fixed[where], (y @ moved @ x.T)[where]
    target, found = target - target.mean(), found - found.mean()
    norm = float(np.sqrt((target**2).sum() * (found**2).sum()))
    return max(float((target * found).sum()) / norm, 0.0) if norm > 1 else 0.0


def _sampling(at: Any) -> tuple[Array, Array, Any]:
    """The matrices that sample columns and rows at moved places, and where those are inside; None if too few are."""
    import numpy as np

    (x, inside_x), (y, inside_y) = _sampled(at[0], at[1]), _sampled(at[2], at[3])
    few = min(inside_x.sum(), inside_y.sum()) < LEAST_OVERLAP * THUMB
    return x, y, None if few else np.ix_(np.flatnonzero(inside_y), np.flatnonzero(inside_x))


def _sampled(scale: float, shift: float) -> tuple[Array, Any]:
    import numpy as np

    places = ((scale * _centred() + shift) + 1) / 2 * THUMB - 0.5
    inside = (places > -1e-6) & (places < THUMB - 1 + 1e-6)
    places = np.clip(places, 0, THUMB - 1)
    low = np.minimum(places.astype(int), THUMB - 2)
    matrix = np.zeros((THUMB, THUMB), np.float32)
    matrix[np.arange(THUMB), low] = 1 - (places - low)
    matrix[np.arange(THUMB), low + 1] = places - low
    return matrix, inside


@cache
def _centred() -> Array:
    import numpy as np

    return ((np.arange(THUMB, dtype=np.float32) + 0.5) / THUMB) * 2 - 1


@cache
def _blur(sigma: float) -> Array:
    import numpy as np

    place = np.arange(THUMB)
    weights = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2)).astype(np.float32)
    normal: Array = weights / weights.sum(1, keepdims=True)
    return normal
