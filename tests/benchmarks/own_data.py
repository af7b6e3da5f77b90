"""Measures ``openvlt train my.jsonl``: 300 made questions about pictures of one coloured shape, from file to table.

    uv run python tests/benchmarks/own_data.py

Prints the table of the run, and the seconds of the whole command by the clock and of all CPUs.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = {
    "red": (220, 30, 30), "blue": (30, 60, 220), "green": (20, 150, 40), "yellow": (235, 210, 20), "black": (10, 10, 10),
    "brown": (120, 70, 30),
}  # fmt: skip
SHAPES = ("circle", "rectangle", "triangle")


def picture(colour: str, shape: str, chance: random.Random) -> Image.Image:
    """A shape on a light ground, 64 x 64."""
    image = Image.new("RGB", (64, 64), tuple(chance.randint(215, 255) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    width, height = chance.randint(16, 30), chance.randint(16, 30)
    x, y = chance.randint(2, 62 - width), chance.randint(2, 62 - height)
    if shape == "circle":
        draw.ellipse([x, y, x + width, y + width], fill=COLOURS[colour])
    elif shape == "rectangle":
        draw.rectangle([x, y, x + width, y + height], fill=COLOURS[colour])
    else:
        draw.polygon([(x, y + height), (x + width, y + height), (x + width // 2, y)], fill=COLOURS[colour])
    return image


def question(number: int, colour: str, shape: str, chance: random.Random) -> tuple[str, str]:
    """A question about colour, shape, or one colour, and its answer."""
    if number % 3 == 0:
        return "What colour is the shape?", colour
    if number % 3 == 1:
        return "What shape is in the picture?", shape
    asked = colour if chance.random() < 0.5 else chance.choice([each for each in COLOURS if each != colour])
    return f"Is the shape {asked}?", "yes" if asked == colour else "no"


def main() -> None:
    """Make the file, train on it, report."""
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        with (folder / "my.jsonl").open("w", encoding="utf-8") as file:
            for number in range(300):
                colour, shape = chance.choice(list(COLOURS)), chance.choice(SHAPES)
                picture(colour, shape, chance).save(folder / "pictures" / f"{number}.png")
                text, answer = question(number, colour, shape, chance)
                row = {"id": str(number), "image": f"pictures/{number}.png", "question": text, "answer": answer}
                file.write(json.dumps(row) + "\n")
        started = time.monotonic()
        environment = os.environ | {"OPENVLT_HOME": str(folder / "home")}
        subprocess.run([sys.executable, "-m", "openvlt", "train", folder / "my.jsonl"], env=environment, check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"{time.monotonic() - started:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU")


if __name__ == "__main__":
    main()
