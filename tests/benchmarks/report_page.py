"""How long the page of two results with 3,000 questions takes to write and to open, and how large it is.

Run it as ``python tests/benchmarks/report_page.py``. The rows are made here: each has an image of 700 x 600 pixels and
two replies, of 1,200 and 6,000 words. Opening is measured in headless Chromium, if there is one: until the first
question is drawn, the next one, and the hits of a search in all texts.
"""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import subprocess
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image as Pillow, ImageDraw

from openvlt.bench.result import Result
from openvlt.records import (
    BenchResult,
    Example,
    Image,
    Judged,
    NewImage,
    Protocol,
    Row,
    Score,
    Trace,
    UsedData,
    UsedModel,
    UsedPrompt,
    Verdict,
)
from openvlt.report.page import page_of_pairs
from openvlt.store import Home, ImageStore, StageFolder, StageWriter

QUESTIONS = 3_000
WORDS = [
    "the",
    "angle",
    "of",
    "this",
    "triangle",
    "and",
    "that",
    "side",
    "give",
    "an",
    "area",
    "which",
    "we",
    "add",
    "to",
    "what",
    "stands",
    "above",
]
TIMES = """<script>
const times = {opened: performance.now()}, timed = (name, act) => { const start = performance.now(); act(); times[name] = performance.now() - start; };
timed("next", () => select(1)); timed("search", () => { $("search").value = "figure 2999"; narrow(); });
document.body.textContent = "TIMES" + JSON.stringify(times) + "END"; </script></body>"""


def picture(draw: random.Random, store: ImageStore) -> Image:
    image, file = Pillow.new("RGB", (700, 600), "white"), BytesIO()
    lines = ImageDraw.Draw(image)
    for _ in range(12):
        lines.line([draw.randrange(700), draw.randrange(600), draw.randrange(700), draw.randrange(600)], "black", 3)
    image.save(file, "PNG")
    return store.add(NewImage("", 0, 0, file.getvalue()))


def result(home: Home, name: str, words: int, images: list[Image]) -> Result:
    draw, writer = random.Random(name), StageWriter(StageFolder(home.stages / name))
    for number, image in enumerate(images):
        raw = f"<think>{' '.join(draw.choices(WORDS, k=words))}</think>\\boxed{{1}}"
        verdict = Verdict.correct("equal") if draw.random() < 0.5 else Verdict.incorrect("not equal")
        example = Example(id=str(number), question=f"What is the area of figure {number}?", answer="1", images=(image,))
        judged = Judged(trace=Trace(think="", answer="1", raw=raw), verdicts={"strict": verdict})
        writer.row(Row(example=example, judged=(judged,)))
    writer.finish({"in": len(images)})
    score = Score(accuracy=0.5, correct=QUESTIONS // 2, n=QUESTIONS, ci95=(0.48, 0.52), bounds=(0.5, 0.5))
    protocol = Protocol(
        benchmark="made", data=UsedData(revision="", split="test", limit=None, content=""), model=UsedModel(id=name), prompt=UsedPrompt(),
        decoding=None, extraction="phrase", scoring={},
    )  # fmt: skip
    record = BenchResult(
        benchmark="made", stage=name, headline="strict", scores={"strict": score}, protocol=protocol, protocol_hash=""
    )
    return Result(record, writer.folder, name)


def opened(folder: Path, text: str) -> dict[str, float]:
    """Milliseconds in a browser; the policy, which allows no second script, is left out."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return {}
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace("</body>", TIMES)
    (folder / "timed.html").write_text(text)
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    command = [browser, *options, (folder / "timed.html").as_uri()]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    times: dict[str, float] = json.loads(re.findall(r"TIMES(\{[^}]*\})END", found)[-1])
    return times


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, draw = Home(Path(folder)), random.Random(0)
        store = ImageStore(home.images)
        images = [picture(draw, store) for _ in range(QUESTIONS)]
        pair = result(home, "a", 1_200, images), result(home, "b", 6_000, images)
        start = time.process_time()
        page = page_of_pairs(home, [pair])
        took = time.process_time() - start
        print(f"written in {took:.1f} s of CPU time, {len(page.text.encode()) / 1e6:.1f} MB")
        print(*page.notes, sep="\n")
        print(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
        for name, milliseconds in opened(Path(folder), page.text).items():
            print(f"{name} in {milliseconds:,.0f} ms")


if __name__ == "__main__":
    main()
