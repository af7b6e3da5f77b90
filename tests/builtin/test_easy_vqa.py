"""easy-VQA: its splits, its balanced selections, its benchmark."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("easy_vqa", reason="needs the group quickstart")

from openvlt import DataError, Example, Format
from openvlt_plugins.easy_vqa.benchmark import EasyVqaBenchmark
from openvlt_plugins.easy_vqa.source import EasyVqa


def cell(example: Example) -> str:
    kind = str(example.metadata["category"])
    return example.answer if kind == "yes_no" else kind


def images(split: str) -> set[str]:
    return {str(example.metadata["image_id"]) for example in EasyVqa().examples(split)}


def test_every_question_is_in_one_split() -> None:
    sizes = {split: EasyVqa().size(split) for split in EasyVqa.splits}
    assert sum(sizes.values()) == 48_248
    assert sizes["test"] == 9_673
    ids = [example.id for split in EasyVqa.splits for example in EasyVqa().examples(split)]
    assert len(set(ids)) == len(ids)


def test_tuning_images_are_the_last_400_of_the_train_folder() -> None:
    assert images("train") == {f"train/{number}" for number in range(3600)}
    assert images("dev") == {f"train/{number}" for number in range(3600, 4000)}


def test_examples_say_what_kind_they_are() -> None:
    by_question = {example.question: example for example in EasyVqa().examples("train")}
    assert by_question["what is the color of the circle?"].metadata["category"] == "colour"
    assert by_question["what is the blue shape?"].metadata["category"] == "shape"
    negated = by_question["is no red shape present?"]
    assert (negated.metadata["category"], negated.metadata["negated"], negated.answer_type) == (
        "yes_no",
        True,
        "yes_no",
    )
    assert not by_question["is a red shape present?"].metadata["negated"]


def test_an_unknown_split_names_the_valid_ones() -> None:
    with pytest.raises(DataError, match="train, dev, test"):
        list(EasyVqa().examples("validation"))


def test_a_missing_package_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openvlt_plugins.easy_vqa.source.find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install easy-vqa"):
        list(EasyVqa().examples("train"))


@pytest.mark.parametrize("per_image", [None, 1, 3])
def test_any_leading_part_of_a_balanced_selection_is_balanced(per_image: int | None) -> None:
    chosen = list(EasyVqa(balanced=True, seed=1, questions_per_image=per_image).examples("dev"))
    assert len(chosen) > 350
    for part in (6, 60, 300):
        counts = Counter(map(cell, chosen[:part]))
        assert counts["shape"] == counts["colour"] == 2 * counts["yes"] == 2 * counts["no"] == part / 3
    if per_image:
        assert max(Counter(example.metadata["image_id"] for example in chosen).values()) <= per_image


def test_the_seed_decides_the_order() -> None:
    def ids(seed: int | None) -> list[str]:
        return [example.id for example in EasyVqa(seed=seed).examples("dev")]

    assert ids(1) == ids(1) != ids(2)
    assert sorted(ids(1)) == sorted(ids(None))
    assert ids(None)[:2] == ["train/3600/0", "train/3600/1"]


def test_the_benchmark_asks_one_question_of_each_test_image() -> None:
    benchmark = EasyVqaBenchmark()
    chosen = list(benchmark.choose(benchmark.source.examples(benchmark.split)))
    assert len({example.metadata["image_id"] for example in chosen}) == len(chosen) == 1000
    assert Counter(map(cell, chosen)) == {"shape": 333, "colour": 333, "yes": 167, "no": 167}


def test_the_blind_guesser_is_far_from_perfect_and_from_zero() -> None:
    benchmark = EasyVqaBenchmark()
    guess = benchmark.baselines()["blind"]
    chosen = list(benchmark.source.examples("test"))
    accuracy = sum(guess(example) == example.answer for example in chosen) / len(chosen)
    assert 0.35 < accuracy < 0.55


def test_the_base_is_asked_for_a_bare_answer() -> None:
    benchmark = EasyVqaBenchmark()
    example = next(iter(benchmark.source.examples("dev")))
    (turn,) = benchmark.base_messages(example, Format())
    assert turn.content == (*example.images, f"{example.question}\nAnswer with one word.")
    assert benchmark.messages(example, Format()) == Format().prompt(example)
