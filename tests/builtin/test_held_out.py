"""What is held out shares no image and no question with the rest."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, strategies as st

from openvlt import DataError, Example, Image, Rejected
from openvlt_plugins.rows.held_out import TEMPLATE, held_out, templates
from openvlt_plugins.rows.source import Rows

PLACES = st.tuples(st.integers(0, 12), st.integers(0, 60), st.integers(0, 1))


def example(question: int, image: int, answer: int) -> Example:
    images = (Image.data(str(image).encode()),) if image else ()
    return Example(id="", question=f"Question {question}?", answer=str(answer), images=images)


@given(
    rows=st.lists(PLACES, min_size=2, max_size=60), seed=st.integers(0, 3), share=st.sampled_from([0.1, 0.2, 0.5, 5])
)
def test_neither_an_image_nor_a_question_is_on_both_sides(
    rows: list[tuple[int, int, int]], seed: int, share: float
) -> None:
    try:
        chosen = held_out([example(*row) for row in rows], share, seed)
    except DataError as error:
        assert "can be held out" in str(error)
        return
    test = [row for at, row in enumerate(rows) if at in chosen]
    train = [row for at, row in enumerate(rows) if at not in chosen]
    assert not {image for _, image, _ in test if image} & {image for _, image, _ in train if image}
    asked: defaultdict[int, list[int]] = defaultdict(list)
    for question, image, answer in rows:
        if image:
            asked[question].append(answer)
    for question in {question for question, _, _ in test} & {question for question, _, _ in train}:
        assert len(asked[question]) >= TEMPLATE
        assert len(set(asked[question])) == 2
    assert 0 < len(test) <= max(share * len(rows) + 0.5 if share < 1 else share, 1)


@given(rows=st.lists(PLACES, min_size=2, max_size=40, unique=True), seed=st.integers(0, 3))
def test_the_choice_does_not_depend_on_the_order(rows: list[tuple[int, int, int]], seed: int) -> None:
    def chosen(order: list[tuple[int, int, int]]) -> set[tuple[int, int, int]] | None:
        try:
            return {order[at] for at in held_out([example(*row) for row in order], 0.3, seed)}
        except DataError:
            return None

    shuffled = list(rows)
    Random(1).shuffle(shuffled)
    assert chosen(rows) == chosen(shuffled)


@pytest.mark.parametrize("question", range(8))
def test_examples_with_nothing_but_a_common_question_are_chosen_one_by_one(question: int) -> None:
    """They are many groups, whose order no common name may decide."""
    examples = [example(question, image, image % 2) for image in range(1, 21)]
    chosen = held_out(examples, 0.25, 0)
    assert len(chosen) == 5
    assert held_out(examples[::-1], 0.25, 0) == {19 - at for at in chosen}
    assert templates(examples) == [f"Question {question}?"]


@given(st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(1, 9), max_size=3)), min_size=4, max_size=30))
def test_examples_with_several_images_are_connected_by_each(rows: list[tuple[int, list[int]]]) -> None:
    pictures = [tuple(Image.data(str(each).encode()) for each in images) for _, images in rows]
    examples = [
        Example(id="", question=f"Question {question}?", answer="1", images=images)
        for (question, _), images in zip(rows, pictures, strict=True)
    ]
    try:
        chosen = held_out(examples, 0.5, 0)
    except DataError:
        return
    names = [{f"question {question}", *map(str, images)} for question, images in rows]
    sides = [set().union(*(names[at] for at in range(len(rows)) if (at in chosen) == side)) for side in (True, False)]
    assert not sides[0] & sides[1]


def test_the_parts_of_a_source_are_all_of_it(tmp_path: Path) -> None:
    rows = [{"question": f"How many {number}?", "answer": "1", "image": f"{number}.png"} for number in range(40)]
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(str(number).encode())
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"answer": "lost"}]))
    source = Rows(path=str(tmp_path / "rows.jsonl"), held_out=0.25, seed=1)
    parts = {split: list(source.examples(split)) for split in ("train", "test")}
    assert [len(parts["train"]), len(parts["test"])] == [31, 10]
    assert Counter(item.id for items in parts.values() for item in items) == Counter(
        f"rows.jsonl:{line}" for line in range(1, 42)
    )
    with pytest.raises(DataError, match="no split 'dev' with held_out"):
        list(source.examples("dev"))
    # A copy of a picture under another name is the same picture.
    shutil.copyfile(tmp_path / "0.png", tmp_path / "1.png")
    again = [item for item in source.examples("test") if isinstance(item, Example)]
    assert len({f"{line}.png" for line in (0, 1)} & {item.question[9:-1] + ".png" for item in again}) in (0, 2)


def test_a_held_out_part_and_files_for_splits_exclude_each_other() -> None:
    with pytest.raises(DataError, match="both held_out and"):
        Rows(path="{split}.jsonl", held_out=0.1)


def test_without_any_question_it_says_why(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"question": "What?", "answer": "7", "img": ""}\n' * 12)
    rows = Rows(path=str(tmp_path / "mine.jsonl"), images="pic", held_out=0.2)
    for split in ("train", "test"):
        reasons = {item.reason for item in rows.examples(split) if isinstance(item, Rejected)}
        assert reasons == {"there is no column 'pic' among img, question, answer"}
