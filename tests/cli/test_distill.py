"""``openvlt distill`` and ``openvlt export``: the data a user takes away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pictures

from openvlt.errors import UsageError

pytestmark = pytest.mark.xdist_group("distill")

Command = Callable[..., str]


@pytest.fixture(scope="module")
def openvlt(sums_in: Callable[[Path], Command], tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs a command in this process, in one home for the whole module."""
    return sums_in(tmp_path_factory.mktemp("distill"))


@pytest.fixture(scope="module")
def distilled(openvlt: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "data"
    openvlt("distill", "RECIPE", "--out", folder)
    return folder


def load(folder: Path) -> list[dict[str, Any]]:
    from datasets import load_dataset

    return list(load_dataset(str(folder), split="train", streaming=True))


def answer_of(question: str) -> str:
    numbers = [int(word.strip("?")) for word in question.split() if word.strip("?").isdigit()]
    return str(sum(numbers))


def test_the_data_set_holds_only_verified_traces_with_their_images(distilled: Path) -> None:
    rows = load(distilled)
    assert 30 < len(rows) <= 120
    for row in rows:
        assert row["correct"] and row["answer"] == row["gold"] == answer_of(row["question"])
        assert json.loads(row["verdicts"])["exact"]["status"] == "correct"
        assert [image.size for image in row["images"]] == [(8, 8)]


def test_the_card_tells_source_licence_prompt_counts_and_pass_rates(distilled: Path) -> None:
    card = (distilled / "README.md").read_text()
    assert "| sums | CC0-1.0 |" in card
    assert "Then: What is 0 + 0?" in card
    assert "| distill-1 | 60 |" in card
    first, third = (float(cell.strip(" %")) for cell in card.split("| sums | 60 |")[1].split("|")[:2])
    assert 0 < first < third <= 100


def test_until_verify_keeps_the_wrong_traces_too(openvlt: Command, distilled: Path, tmp_path: Path) -> None:
    openvlt("distill", "RECIPE", "--until", "verify", "--out", tmp_path / "all")
    assert "select-1" in openvlt("runs", "show", "sums-distill"), "the other run lost a stage"
    rows = load(tmp_path / "all")
    assert {row["correct"] for row in rows} == {True, False}
    assert len(rows) > len(load(distilled))


def test_a_plan_ends_where_the_command_does(openvlt: Command, distilled: Path) -> None:
    lines = openvlt("distill", "RECIPE", "--until", "verify", "--plan").split("\n")
    planned = [line.split() for line in lines if "-1" in line]
    assert [words[0] for words in planned] == ["load-1", "caption-1", "distill-1", "verify-1"]
    assert all(words[-1] == "done" for words in planned)


def test_a_plan_names_what_the_training_data_are_compared_with(openvlt: Command, tmp_path: Path) -> None:
    lines = [{"id": str(number), "question": f"What is {number}?", "answer": "1"} for number in range(3)]
    Pictures.new("RGB", (40, 30), "white").save(tmp_path / "one.png")
    lines[0]["image"] = "one.png"
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    bench = (
        f"bench=[{{use: qa, name: asked, split: train, scorings: {{a: answer}}, prompts: {{default: '{{question}}'}}, "
        f"source: {{use: rows, path: {tmp_path}/asked.jsonl}}}}]"
    )
    command = ("distill", "RECIPE", "--name", "compared", "--set", bench, "--set", "near_duplicates=true")
    assert "training data are compared with the questions of asked (3).\n" in openvlt(*command, "--plan")
    openvlt(*command)
    assert "training data are compared with the questions of asked (3 with 1 picture).\n" in openvlt(*command, "--plan")
    assert "compared" not in openvlt("distill", "RECIPE", "--plan")


def test_a_run_shows_why_it_rejected_rows(openvlt: Command, distilled: Path) -> None:
    (run,) = [run for run in json.loads(openvlt("runs", "--json")) if run["name"] == "sums-distill"]
    lines = [line.split(maxsplit=2) for line in openvlt("runs", "sums-distill").splitlines()]
    reasons = {(stage["name"], str(n), why) for stage in run["stages"] for why, n in stage["rejected"].items()}
    assert reasons
    assert reasons <= {tuple(words) for words in lines}


def test_distilling_again_computes_nothing(openvlt: Command, distilled: Path, tmp_path: Path) -> None:
    openvlt("distill", "RECIPE", "--out", tmp_path / "again")
    (stages,) = [run["stages"] for run in json.loads(openvlt("runs", "--json")) if run["name"] == "sums-distill"]
    assert [stage["stage_kind"] for stage in stages] == ["load", "caption", "distill", "verify", "select"]
    assert all(stage["cached"] for stage in stages)


def test_sharegpt_has_as_many_placeholders_as_images(openvlt: Command, distilled: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    openvlt("export", "sums-distill", "--as", "sharegpt", "--out", tmp_path / "out")
    ((_, info),) = json.loads((tmp_path / "out" / "dataset_info.json").read_text()).items()
    assert info["formatting"] == "sharegpt"
    records = list(load_dataset("json", data_files=str(tmp_path / "out" / info["file_name"]), split="train"))
    assert len(records) == len(load(distilled))
    for record in records:
        user, assistant = record[info["columns"]["messages"]]
        images = record[info["columns"]["images"]]
        assert user["content"].count("<image>") == len(images) == 1
        assert "<image>" not in assistant["content"] and assistant["content"].endswith("</answer>")
        assert all((tmp_path / "out" / image).is_file() for image in images)


def test_easyr1_has_each_question_once(openvlt: Command, distilled: Path, tmp_path: Path) -> None:
    openvlt("export", "sums-distill", "--as", "easyr1", "--out", tmp_path / "out")
    rows = load(tmp_path / "out")
    assert len({row["problem"] for row in rows}) == len(rows) > 20
    for row in rows:
        assert row["problem"].startswith("<image>What is") and row["problem"].endswith("?")
        assert json.loads(row["answer"])["openvlt"]["answer"] == answer_of(row["problem"]) and len(row["images"]) == 1
    assert "exported_reward" in (tmp_path / "out" / "reward.py").read_text()
    assert json.loads((tmp_path / "out" / "reward.json").read_text())["rewards"] == {"exact": 1.0}


def test_verl_has_the_columns_of_its_loader_and_of_its_reward(
    openvlt: Command, distilled: Path, tmp_path: Path
) -> None:
    from openvlt import compute_score

    openvlt("export", "sums-distill", "--as", "verl", "--out", tmp_path / "out")
    rows = load(tmp_path / "out")
    assert len(rows) > 20 and [row["extra_info"]["index"] for row in rows] == list(range(len(rows)))
    for row in rows[:3]:
        (turn,) = row["prompt"]
        assert turn["role"] == "user" and turn["content"].count("<image>") == len(row["images"]) == 1
        gold = row["reward_model"]["ground_truth"]
        assert gold == answer_of(row["extra_info"]["question"])
        scores = compute_score(row["data_source"], f"<answer>{gold}</answer>", gold, row["extra_info"])
        assert scores["score"] == 1.0


def test_trl_takes_prompt_completion_and_images(openvlt: Command, distilled: Path, tmp_path: Path) -> None:
    from trl.data_utils import is_conversational, prepare_multimodal_messages

    openvlt("export", "sums-distill", "--as", "trl", "--out", tmp_path / "out")
    rows = load(tmp_path / "out")
    assert len(rows) == len(load(distilled))
    assert is_conversational(rows[0])
    (turn,) = prepare_multimodal_messages(rows[0]["prompt"], images=rows[0]["images"])
    assert [part["type"] for part in turn["content"]] == ["image", "text"]


def test_questions_alone_are_no_training_data_for_sft(openvlt: Command, distilled: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="load-1"):
        openvlt("export", "sums-distill", "--as", "sharegpt", "--stage", "load-1", "--out", tmp_path / "out")


def test_a_folder_with_files_is_never_written_into(openvlt: Command, distilled: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        openvlt("export", "sums-distill", "--as", "trl", "--out", distilled)


def test_a_run_that_trained_nothing_has_no_model(openvlt: Command, distilled: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is done, and no stage of it trains a model"):
        openvlt("export", "sums-distill", "--as", "model", "--out", tmp_path / "out")
