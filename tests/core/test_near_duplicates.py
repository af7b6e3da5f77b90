"""Near-duplicates: a picture is found however it was encoded again, a question however its punctuation was changed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from made import Bench
from near_duplicates import COPIES, SHARED, Known, shared
from PIL import Image as Pictures, ImageDraw, ImageOps

from openvlt.near_duplicates import VERSION, KnownPicture, NearDuplicate, NearDuplicates, search
from openvlt.near_duplicates.hashes import HashIndex
from openvlt.near_duplicates.pictures import likeness, outlines
from openvlt.near_duplicates.search import ALIKE, WITHIN
from openvlt.near_duplicates.wording import OVERLAP, Wordings
from openvlt.pipeline import compile_recipe
from openvlt.pipeline.stage import Context
from openvlt.recipe import find_recipes, read_recipe
from openvlt.records import Example, Image, Run
from openvlt.stages.load import load
from openvlt.stages.near_duplicates import HASHES, BenchmarkQuestions, in_training_data, pairs_of, reason
from openvlt.stages.workspace import Output
from openvlt.store import check_run, digest, find_unneeded, remove_run, write_run

WAYS = [way for way in COPIES if way != "twice, nearest"]


def diagram(seed: int) -> Pictures.Image:
    """Points, named and joined, on white."""
    drawn = random.Random(seed)
    picture = Pictures.new("RGB", (360, 280), "white")
    pen = ImageDraw.Draw(picture)
    points = [(drawn.randrange(30, 330), drawn.randrange(30, 250)) for _ in range(8)]
    for name, (x, y) in zip("ABCDEFGH", points, strict=True):
        pen.line([(x, y), drawn.choice(points)], fill="black", width=2)
        pen.line([(x, y), drawn.choice(points)], fill="black", width=2)
        pen.text((x + 3, y), name, fill="black", font_size=18)
    x, y = drawn.choice(points)
    pen.ellipse([x - 40, y - 25, x + 40, y + 25], outline="black", width=2)
    return picture


def table(seed: int) -> Pictures.Image:
    """Words and numbers in rows of one layout: the same header, the same lines."""
    drawn = random.Random(seed)
    picture = Pictures.new("RGB", (240, 190), (245, 250, 255))
    pen = ImageDraw.Draw(picture)
    pen.rectangle([0, 0, 240, 30], fill=(90, 140, 220))
    pen.text((60, 5), "Things sold", fill="white", font_size=16)
    for row in range(5):
        word = "".join(drawn.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(drawn.randrange(4, 12)))
        pen.text((8, 36 + 30 * row), word, fill="black", font_size=16)
        pen.text((170, 36 + 30 * row), str(drawn.randrange(1, 9999)), fill="black", font_size=16)
        pen.line([0, 30 * (row + 2), 240, 30 * (row + 2)], fill=(90, 140, 220))
    return picture


def likest(one: Pictures.Image, other: Pictures.Image) -> float:
    return max(likeness(a, b) for a in outlines(one) for b in outlines(other))


@pytest.mark.parametrize("made", [diagram, table])
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_is_found_however_it_was_copied(made: type, way: str) -> None:
    known = Known({str(seed): made(seed) for seed in range(3)})
    found = known.likest(COPIES[way](made(1)))
    assert found.pop("1", 0) >= ALIKE
    assert all(alike < ALIKE for alike in found.values())


@pytest.mark.parametrize("made", [diagram, table])
def test_pictures_of_one_layout_are_not_one_picture(made: type) -> None:
    pictures = [made(seed) for seed in range(6)]
    unlike = [likest(one, other) for at, one in enumerate(pictures) for other in pictures[:at]]
    assert max(unlike) < ALIKE


def shape(x: int, colour: str, ground: tuple[int, int, int] = (240, 250, 240)) -> Pictures.Image:
    picture = Pictures.new("RGB", (64, 64), ground)
    ImageDraw.Draw(picture).ellipse([x, 20, x + 20, 40], fill=colour)
    return picture


def test_a_simple_picture_is_compared_as_a_whole() -> None:
    known = shape(10, "red")
    for way in ("JPEG 60", "PNG", "WebP", "half the size", "twice the size", "grey"):
        assert likest(COPIES[way](known), known) >= ALIKE
    others = [shape(30, "red"), shape(10, "blue"), shape(10, "red", (230, 235, 255))]
    assert all(likest(other, known) < ALIKE for other in others)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (3, 2), (64, 64), (2000, 10)])
def test_a_picture_without_content_is_like_none(size: tuple[int, int]) -> None:
    assert likest(Pictures.new("RGB", size, "white"), Pictures.new("RGB", size, "white")) == 0


@pytest.mark.parametrize("picture", [diagram(1), table(1), shape(10, "red"), Pictures.new("RGB", (1, 200), "white")])
def test_what_is_kept_of_a_picture_is_all_that_is_known_of_it(picture: Pictures.Image) -> None:
    known = KnownPicture.of(picture)
    kept = KnownPicture.unpacked(known.packed())
    for one, other in zip(known.outlines, kept.outlines, strict=True):
        assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in one.__slots__)
    assert [(at, hash.tolist()) for at, hash in known.hashes] == [(at, hash.tolist()) for at, hash in kept.hashes]
    assert all(
        np.array_equal(one.hash, other.hash) for one, other in zip(outlines(picture), kept.outlines, strict=True)
    )


def test_other_hashes_have_another_version() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    picture = ImageOps.expand(Pictures.fromarray(drawn).resize((350, 270), Pictures.Resampling.BICUBIC), 20, "white")
    hashes = [(at, hash.tobytes().hex()) for at, hash in KnownPicture.of(picture).hashes]
    assert (VERSION, digest(hashes)) == ("1", "43d1d569cd9c604326c5646d371e89e401e2f6ee68c5af9734cb9a3a61ae1188")


def test_the_nearest_hashes_are_found_in_order() -> None:
    index, draw = HashIndex(), np.random.default_rng(0)
    hashes = draw.integers(0, 2**63, (3000, 3), dtype=np.uint64)
    for number, each in enumerate(hashes):
        index.add(each, number)
    near = hashes[2500] ^ np.array([0b111, 0, 1 << 40], np.uint64)
    index.add(near, 7)
    assert index.nearest(hashes[2500], 8, WITHIN) == [(2500, 0), (7, 4)]
    assert index.nearest(hashes[2500], 1, WITHIN) == [(2500, 0)]
    assert len(index) == 3001


LONG = "A train leaves the station at noon and drives 60 km in each hour. How far away is it at 5 o'clock?"


@pytest.mark.parametrize(
    ("asked", "pictured", "other", "other_pictured", "same"),
    [
        (LONG, False, LONG.upper().replace(".", " ;"), False, True),
        (LONG, True, f"Question: {LONG} Explain.", False, True),
        (LONG, True, LONG, True, False),  # the pictures decide
        (LONG, False, LONG.replace("60", "70").replace("5", "7"), False, False),
        (LONG, False, LONG[:40], False, False),
        ("What is 3 + 4?", False, "what is 3 + 4", False, True),
        ("What is 3 + 4?", False, "What is 3 - 4?", False, False),
        ("What is the value of x?", True, "What is the value of x?", False, False),  # as many ask
        ("", False, "", False, False),
    ],
)
def test_questions_are_the_same_by_their_words(
    asked: str, pictured: bool, other: str, other_pictured: bool, same: bool
) -> None:
    wordings = Wordings()
    number = wordings.add(asked, has_image=pictured)
    overlap = wordings.overlaps(other).get(number, 0)
    assert (overlap >= OVERLAP and wordings.is_same(other, number, has_image=other_pictured)) == same


def test_a_picture_that_is_somewhat_alike_counts_if_the_question_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {"a": diagram(1), "b": diagram(1)}
    ImageDraw.Draw(pictures["b"]).text((100, 255), "7", fill="black", font_size=40)
    monkeypatch.setattr(search, "ALIKE", 0.9999)
    known = NearDuplicates(lambda image: pictures[image.sha256])
    known.add("bench", [Example(id="1", question="Which line is longest?", answer="A", images=(Image("a", 1, 1),))])

    def found(question: str) -> str | None:
        pair = known.find(Example(id="x", question=question, answer="", images=(Image("b", 1, 1),)))
        return pair and pair.by

    assert found("which line is longest") == "image and question"
    assert found("How many lines are there?") is None


def rows_file(path: Path, rows: dict[str, tuple[Pictures.Image | None, str]]) -> str:
    lines = []
    for name, (picture, question) in rows.items():
        line = {"id": name, "question": question, "answer": "1"}
        if picture:
            picture.save(path.with_name(f"{path.stem}-{name}.png"))
            line["image"] = f"{path.stem}-{name}.png"
        lines.append(json.dumps(line) + "\n")
    path.write_text("".join(lines))
    return str(path)


def test_load_drops_and_lists_them_and_counts_them_as_no_loss(stages: Bench, tmp_path: Path) -> None:
    asked = {str(seed): (diagram(seed), f"Which one is {seed}?") for seed in range(3)} | {"text": (None, LONG)}
    rows = {
        "copy": (COPIES["half, cropped, grey, JPEG"](diagram(1)), "What is this?"),
        "words": (None, LONG.lower()),
        "own": (diagram(9), "Which one is 1?"),
        "more": (None, "What is 1 + 1?"),
    }
    build, workspace = stages.build, stages.workspace
    bench = load(
        workspace, "load-b", 0, build("source", "rows", path=rows_file(tmp_path / "bench.jsonl", asked)), "train"
    )
    source = build("source", "rows", path=rows_file(tmp_path / "train.jsonl", rows))
    plain = load(workspace, "load-1", 1, source, "train")
    assert plain.record.out == 4
    made = load(workspace, "load-1", 1, source, "train", questions=BenchmarkQuestions(workspace, {"b": bench}))
    assert [row.example.id for row in made.rows()] == ["own", "more"]
    assert made.record.rejected == {"near-duplicate of a question of b": 2}
    assert made.record.counts["near_duplicates"] == 2
    image, words = pairs_of(made.folder.path)
    assert (image.id, image.benchmark, image.question, image.by) == ("copy", "b", "1", "image")
    assert [workspace.images.path(Image(digest, 1, 1)).exists() for digest in image.images] == [True, True]
    assert (words.id, words.question, words.by, words.images) == ("words", "text", "question", ())
    assert in_training_data("b", {"load-1": made.record}) == "dropped from the training data: 2 in load-1"
    assert in_training_data("c", {"load-1": made.record}) == "none in the training data (load-1)"
    assert not in_training_data("b", {"load-1": plain.record})


def compared(stages: Bench, folder: Path, **row: str) -> Output:
    """A load stage of one training row that repeats a question of a benchmark, and of one that does not."""
    asked = {str(seed): (diagram(seed), f"Which one is {seed}?") for seed in range(3)}
    rows = {"copy": (COPIES["JPEG 60"](diagram(1)), row["question"]), "own": (diagram(9), "Which one is 1?")}
    source = stages.build("source", "rows", path=rows_file(folder / "bench.jsonl", asked))
    bench = load(stages.workspace, "load-b", 0, source, "train")
    source = stages.build("source", "rows", path=rows_file(folder / "train.jsonl", rows))
    questions = BenchmarkQuestions(stages.workspace, {"b": bench})
    return load(stages.workspace, "load-1", 1, source, "train", questions=questions)


def test_a_picture_of_a_benchmark_is_hashed_once(
    stages: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Pictures.Image] = []
    of = KnownPicture.of
    monkeypatch.setattr(KnownPicture, "of", lambda picture: hashed.append(picture) or of(picture))

    def found(question: str) -> tuple[NearDuplicate, int]:
        hashed.clear()
        (pair,) = pairs_of(compared(stages, tmp_path, question=question).folder.path)
        return pair, len(hashed)

    first = found("What is this?")
    assert first[1] == 3
    assert found("What is that?") == (first[0], 0)
    shard = stages.workspace.home.values / HASHES / "000001.jsonl"
    content = bytearray(shard.read_bytes())
    content[content.index(b"\n") - 5] ^= 1
    shard.write_bytes(content)
    assert found("What are they?") == (first[0], 1)
    assert found("What were they?") == (first[0], 0)


def test_hashes_are_kept_while_a_run_needs_a_stage_that_used_them(stages: Bench, tmp_path: Path) -> None:
    home = stages.workspace.home
    run = Run(name="run", recipe="r", status="done", stages=(compared(stages, tmp_path, question="What?").record,))
    write_run(home, run)
    assert (home.values / HASHES).is_dir()
    assert not [each for each in find_unneeded(home) if each.category == "values"]
    assert not list(check_run(home, run))
    remove_run(home, "run")
    assert [each.path.name for each in find_unneeded(home) if each.category == "values"] == [HASHES]


def test_a_recipe_compares_all_it_trains_on_with_all_its_benchmarks(stages: Bench, tmp_path: Path) -> None:
    rows_file(tmp_path / "bench.jsonl", {str(seed): (diagram(seed), "Which one is it?") for seed in range(2)})
    rows_file(tmp_path / "more.jsonl", {"text": (None, LONG)})
    rows_file(
        tmp_path / "train.jsonl",
        {"a": (COPIES["JPEG 60"](diagram(1)), "Where?"), "b": (None, LONG), "c": (diagram(5), "What?")},
    )
    data = f"{{source: {{use: rows, path: {tmp_path}/train.jsonl}}}}"
    bench = [f"{{use: qa, name: {name}, split: train, scorings: {{a: answer}}, prompts: {{default: '{{question}}'}}, "
             f"source: {{use: rows, path: {tmp_path}/{name}.jsonl}}}}" for name in ("bench", "more")]  # fmt: skip
    text = (
        f"name: looked\nbase: {stages.model}\nrewards: {{answer: 1.0}}\nnear_duplicates: true\n"
        f"train: {{grpo: {{trainer: grpo, data: {data}}}}}\nbench: [{', '.join(bench)}]\n"
    )
    context = Context(stages.workspace)
    for stage in compile_recipe(read_recipe("looked.yaml", text=text), stages.workspace.registry):
        if stage.stage_kind == "load":
            context.made[stage.name] = stage.run(context)
    record = context.made["load-grpo-1"].record
    assert record.out == 1
    assert record.rejected == {reason("bench"): 1, reason("more"): 1}


@pytest.mark.parametrize("name", sorted(find_recipes()))
def test_the_shipped_recipes_look_for_near_duplicates(name: str) -> None:
    assert read_recipe(name).near_duplicates


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_pictures_are_found_and_not_mistaken() -> None:
    known = shared(20)
    index, missed, false = Known(known), 0, 0
    for name, picture in known.items():
        for copied in COPIES.values():
            found = index.likest(copied(picture))
            missed += found.pop(name, 0) < ALIKE
            false += sum(alike >= ALIKE for alike in found.values())
    copies = len(known) * len(COPIES)
    assert missed <= 0.01 * copies
    assert false <= 0.001 * copies * (len(known) - 1)
