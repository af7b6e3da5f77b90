"""What near-duplicates cost, and how many are found: prints recall by way of copying, false alarms, time and memory.

    python tests/benchmarks/near_duplicates.py pictures [EVERY]   # of the shared pictures every EVERY-th (default 1)
    python tests/benchmarks/near_duplicates.py easy-vqa           # pictures of one or two shapes, train against test
    python tests/benchmarks/near_duplicates.py index              # 1,000,000 hashes, 1,000 looked up
    python tests/benchmarks/near_duplicates.py cost               # CPU time and bytes of what is kept of a picture
    python tests/benchmarks/near_duplicates.py libraries [EVERY]  # of imagehash and pdqhash, if they are installed

Pictures: the 304 of MathVision testmini and 400 tables of TabMWP in `shared/data`, each copied in each way of `COPIES`.
A copy is found if the row is taken for that picture. A false alarm is a copy that is found as another picture when its
own is not in the index; every unlike pair of pictures counts.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from openvlt.near_duplicates import KnownPicture, search
from openvlt.near_duplicates.hashes import HashIndex
from openvlt.near_duplicates.pictures import hashes, likeness, outlines

SHARED = Path(__file__).parents[2] / "../shared/data"
FOLDERS = ("mathvision/images", "tabmwp/tables")
Picture = Image.Image


def encoded(picture: Picture, format: str, **options: int) -> Picture:
    picture.save(file := BytesIO(), format, **options)
    return Image.open(file).convert("RGB")


def resized(picture: Picture, by: float, how: Image.Resampling = Image.Resampling.LANCZOS) -> Picture:
    return picture.resize((max(1, round(picture.width * by)), max(1, round(picture.height * by))), how)


def cut(picture: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    width, height = picture.size
    return picture.crop(
        (round(left * width), round(top * height), width - round(right * width), height - round(bottom * height))
    )


def square(picture: Picture, colour: str) -> Picture:
    return ImageOps.pad(picture, (max(picture.size),) * 2, color=colour)


def framed(picture: Picture, colour: str | tuple[int, int, int]) -> Picture:
    return ImageOps.expand(picture, round(0.1 * max(picture.size)), colour)


def grey(picture: Picture) -> Picture:
    return picture.convert("L").convert("RGB")


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG 60": lambda p: encoded(p, "JPEG", quality=60),
    "JPEG 30": lambda p: encoded(p, "JPEG", quality=30),
    "PNG": lambda p: encoded(p, "PNG"),
    "WebP": lambda p: encoded(p, "WEBP", quality=75),
    "half the size": lambda p: resized(p, 0.5),
    "half, bilinear": lambda p: resized(p, 0.5, Image.Resampling.BILINEAR),
    "0.73 of the size": lambda p: resized(p, 0.73),
    "twice the size": lambda p: resized(p, 2),
    "twice, nearest": lambda p: resized(p, 2, Image.Resampling.NEAREST),
    "cropped 5 % a side": lambda p: cut(p, 0.05, 0.05, 0.05, 0.05),
    "cropped 2.5 % a side": lambda p: cut(p, 0.025, 0.025, 0.025, 0.025),
    "cropped 5 % left": lambda p: cut(p, 0.05, 0, 0, 0),
    "cropped 5 % right, bottom": lambda p: cut(p, 0, 0, 0.05, 0.05),
    "cropped 3 % top, left": lambda p: cut(p, 0.03, 0.03, 0, 0),
    "grey": grey,
    "framed white": lambda p: framed(p, "white"),
    "framed black": lambda p: framed(p, "black"),
    "framed grey": lambda p: framed(p, (127, 127, 127)),
    "square white": lambda p: square(p, "white"),
    "square black": lambda p: square(p, "black"),
    "padded right, bottom": lambda p: ImageOps.expand(p, (0, 0, 40, 25), "white"),
    "half, cropped, grey, JPEG": lambda p: encoded(
        grey(cut(resized(p, 0.5), 0.05, 0.05, 0.05, 0.05)), "JPEG", quality=60
    ),
}


def shared(every: int = 1) -> dict[str, Picture]:
    files = [file for folder in FOLDERS for file in sorted((SHARED / folder).iterdir())][::every]
    return {file.name: Image.open(file).convert("RGB") for file in files}


class Known:
    """An index of pictures, as `NearDuplicates` has one, that a look-up may leave one out of."""

    def __init__(self, pictures: dict[str, Picture]) -> None:
        self.index, self.outlines = HashIndex(), []
        for name, picture in pictures.items():
            first, (whole, found) = len(self.outlines), hashes(picture)
            self.outlines += [(name, outline) for outline in whole]
            for at, hash in found:
                self.index.add(hash, first + at)

    def likest(self, picture: Picture) -> dict[str, float]:
        near = []
        for outline in outlines(picture):
            near += [
                (bits, at, outline)
                for at, bits in self.index.nearest(outline.hash, 3 * search.MOST_LOOKED_AT, search.WITHIN)
            ]
        found: dict[str, float] = {}
        for _, at, outline in sorted(near, key=lambda each: each[:2])[: 2 * search.MOST_LOOKED_AT]:
            name, other = self.outlines[at]
            found[name] = max(likeness(outline, other), found.get(name, 0.0))
        return found


def pictures(every: int) -> None:
    known = shared(every)
    index = Known(known)
    print(f"{len(known)} pictures, {len(index.index)} hashes")
    own, others, rows = defaultdict[str, list[float]](list), Counter[str](), Counter[str]()
    started = time.monotonic()
    for name, picture in known.items():
        for way, copied in COPIES.items():
            found = index.likest(copied(picture))
            own[way].append(found.pop(name, 0.0))
            if own[way][-1] < search.ALIKE:
                print(f"  missed: {name}, {way}: {own[way][-1]:.3f}")
            false = [other for other, alike in found.items() if alike >= search.ALIKE]
            others[way] += len(false)
            rows[way] += bool(false)
    copies = sum(map(len, own.values()))
    for way, alike in own.items():
        recall = np.mean([each >= search.ALIKE for each in alike])
        low = np.quantile(alike, [0.003, 0.01, 0.05])
        print(
            f"{way:28} found {recall:7.2%}   likeness of the lowest 0.3, 1, 5 %: {np.round(low, 3)}   rows with false alarms {rows[way]}"
        )
    unlike = copies * (len(known) - 1)
    everything = np.concatenate([*map(np.array, own.values())])
    print(
        f"all {np.mean(everything >= search.ALIKE):.2%}; false alarms {others.total()} of {unlike:,} unlike pairs = {others.total() / unlike:.4%}, in {rows.total() / copies:.2%} of the rows"
    )
    print(f"{(time.monotonic() - started) / copies * 1000:.1f} ms a row, with its copying")


def easy_vqa() -> None:
    import easy_vqa as package

    folder = Path(package.__file__).parent / "data"
    of = {split: sorted((folder / split / "images").iterdir()) for split in ("train", "test")}
    index = Known({file.name: Image.open(file).convert("RGB") for file in of["test"]})
    found = {file.name: index.likest(Image.open(file).convert("RGB")) for file in of["train"]}
    best = sorted(
        (
            (max(each.values(), default=0), name, max(each, key=each.__getitem__, default=""))
            for name, each in found.items()
        ),
        reverse=True,
    )
    print(
        f"{len(of['train'])} training pictures, of which {sum(each[0] >= search.ALIKE for each in best)} are taken for one of {len(of['test'])}; the likest: {best[:10]}"
    )


def index() -> None:
    random, hashes, started = np.random.default_rng(0), HashIndex(), time.monotonic()
    for number in range(1_000_000):
        hashes.add(random.integers(0, 2**63, 3, dtype=np.uint64), number)
    added = time.monotonic()
    for _ in range(1000):
        hashes.nearest(random.integers(0, 2**63, 3, dtype=np.uint64), 8, search.WITHIN)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"1,000,000 hashes indexed in {added - started:.1f} s, 1,000 looked up in {time.monotonic() - added:.1f} s, {memory:.0f} MB"
    )


def cost() -> None:
    import easy_vqa as package

    folder = Path(package.__file__).parent / "data/test/images"
    for name in (folder, *(SHARED / folder for folder in FOLDERS)):
        known = [Image.open(file).convert("RGB") for file in sorted(name.iterdir())]
        started = time.process_time()
        kept = [KnownPicture.of(picture).packed() for picture in known]
        hashed = time.process_time()
        for each in kept:
            KnownPicture.unpacked(each)
        read = time.process_time()
        sizes = [len(each) for each in kept]
        print(
            f"{name.parent.name}: {len(known)} pictures, each hashed in {(hashed - started) / len(known) * 1000:.1f} ms, "
            f"unpacked in {(read - hashed) / len(known) * 1000:.2f} ms; {np.mean(sizes):.0f} bytes, at most {max(sizes)}"
        )


def libraries(every: int) -> None:
    import imagehash
    import pdqhash

    known, found = shared(every), Counter[str]()
    ways = {
        "pdqhash, 31 of 256 bits": (lambda p: pdqhash.compute(np.asarray(p))[0], 31),
        "imagehash.phash, 10 of 64 bits": (lambda p: imagehash.phash(p).hash.ravel(), 10),
    }
    for picture in known.values():
        for name, (hashed, within) in ways.items():
            own = hashed(picture)
            found[name] += sum((hashed(copy(picture)) != own).sum() <= within for copy in COPIES.values())
    for name, count in found.items():
        print(f"{name}: {count / len(known) / len(COPIES):.1%} of {len(known) * len(COPIES)} copies found")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["index"]:
            index()
        case ["cost"]:
            cost()
        case ["easy-vqa"]:
            easy_vqa()
        case ["libraries", *every]:
            libraries(int(every[0]) if every else 1)
        case ["pictures", *every]:
            pictures(int(every[0]) if every else 1)
