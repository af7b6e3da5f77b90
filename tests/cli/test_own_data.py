"""Questions of one's own in place of a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image as Pictures

from openvlt.cli import cli
from openvlt.errors import DataError, UsageError
from openvlt.pipeline import compile_recipe
from openvlt.recipe import read_recipe
from openvlt.recipe.own_data import recipe_of
from openvlt.registry import Registry


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    rows = []
    for number in range(30):
        Pictures.new("RGB", (28, 28), (number * 8, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
        rows.append({"q": f"Which is number {number}?", "a": str(number), "img": f"pictures/{number}.png", "level": 1})
    path = tmp_path / "my questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def openvlt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> str:
        result = CliRunner(env={"OPENVLT_HOME": str(tmp_path / "home")}).invoke(cli, [str(word) for word in words])
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return run


COLUMNS = ("--columns", "question=q,answer=a")


def test_a_file_is_a_recipe(openvlt: Callable[..., str], data: Path) -> None:
    shown = openvlt("train", data, *COLUMNS, "--plan")
    assert "30 rows, 30 questions, 30 with an image" in shown
    for line in ("question   q", "answer     a", "images     img", "choices    none", "unused     level"):
        assert f"  {line}\n" in shown
    assert "my questions.jsonl:3: 'Which is number 2?' -> '2'" in " ".join(shown.split())
    table = shown.partition("stage ")[2].splitlines()[1:]
    assert table[0].split() == ["load-my-questions", "my-questions", "6"], "held out"
    assert table[3].split() == ["load-sft-1", "rows", "24"], "to train on"
    assert [line.split()[0] for line in table] == [
        "load-my-questions", "bench-my-questions-base", "score-my-questions-base", "load-sft-1", "filter-sft-1", "sft-1",
        "bench-my-questions-sft-1", "score-my-questions-sft-1",
    ]  # fmt: skip


def test_questions_that_may_be_on_both_sides_are_told(openvlt: Callable[..., str], data: Path) -> None:
    assert "recurring" not in openvlt("train", data, *COLUMNS, "--plan")
    rows = [json.loads(line) | {"q": "Which is it?"} for line in data.read_text().splitlines()]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shown = openvlt("train", data, *COLUMNS, "--plan")
    assert "  recurring  1, such as 'Which is it?': with different images it may be on both sides\n" in shown


def test_columns_may_be_named_in_several_options(openvlt: Callable[..., str], data: Path) -> None:
    apart = ("--columns", "question=q", "--columns", "answer=a")
    assert openvlt("train", data, *apart, "--plan") == openvlt("train", data, *COLUMNS, "--plan")


def test_missing_image_files_are_told_before_any_work(openvlt: Callable[..., str], data: Path) -> None:
    assert "  missing  " not in openvlt("train", data, *COLUMNS, "--plan")
    (data.parent / "pictures" / "3.png").unlink()
    assert "  missing    1 image files, such as " in openvlt("train", data, *COLUMNS, "--plan")


def test_with_a_gpu_the_base_is_reinforced(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openvlt.system.visible_gpus", lambda: ["0"])
    registry = Registry.discover()
    text, _ = recipe_of(registry, [str(data)], COLUMNS[1:])
    stages = [stage.name for stage in compile_recipe(read_recipe("own", text=text), registry)]
    assert stages[-3:] == ["grpo-1", "bench-my-questions-grpo-1", "score-my-questions-grpo-1"]


@pytest.mark.parametrize("gpus", ["1x24", "1x80", "2x80", "3x80", "4x80", "5x80", "7x80", "8x80", "24x80"])
def test_for_gpus_elsewhere_the_recipe_is_theirs(openvlt: Callable[..., str], data: Path, gpus: str) -> None:
    words = ["train", str(data), *COLUMNS, "--plan", "--gpus", gpus]
    plan = CliRunner(env={"OPENVLT_HOME": str(data.parent / "home")}).invoke(cli, words)
    assert (plan.exit_code, plan.stderr) == (0, "")
    assert "grpo-1" in plan.stdout and "sft-1" not in plan.stdout
    openvlt("new-recipe", data, *COLUMNS, "--gpus", gpus)
    (phase,) = read_recipe("my-questions.yaml").iterations[0].train.values()
    count = int(gpus.partition("x")[0])
    prompts, batch = phase.trainer["prompts"], phase.trainer["batch"]
    assert prompts % count == 0 and 16 <= prompts < 16 + count and batch == 8 * prompts


@pytest.mark.slow  # a real training
def test_a_trained_model_is_scored_on_the_part_held_out(openvlt: Callable[..., str], data: Path) -> None:
    shown = openvlt("train", data, *COLUMNS, "--set", "train.sft.epochs=1")
    assert "my-questions, 6 questions" in shown
    assert "sft-1 against base" in shown
    (run,) = json.loads(openvlt("runs", "--json"))
    assert run["name"] == "my-questions"
    assert (Path(run["model"]) / "model.safetensors").is_file()


def test_new_recipe_writes_the_same(openvlt: Callable[..., str], data: Path) -> None:
    openvlt("new-recipe", data, *COLUMNS)
    written = data.parent / "my-questions.yaml"
    assert written.read_text().count("#") > 5
    recipe = read_recipe(str(written))
    assert recipe.name == "my-questions"
    (spec,) = recipe.bench
    assert spec["source"] == {
        "use": "rows", "path": str(data), "question": "q", "answer": "a", "held_out": 0.2, "seed": 0,
    }  # fmt: skip
    assert str(data.parent) not in written.read_text(), "paths below the recipe are relative to it"
    with pytest.raises(UsageError, match="exists already"):
        openvlt("new-recipe", data, *COLUMNS)
    plan = openvlt("train", data, *COLUMNS, "--plan")
    assert openvlt("train", written, "--plan") in plan


def test_rows_that_cannot_be_read_say_why(openvlt: Callable[..., str], data: Path) -> None:
    with pytest.raises(DataError, match="0 of 30 rows are questions") as error:
        openvlt("train", data)
    assert "no question among the columns q, a, img, level" in str(error.value)
    assert "--columns question=COLUMN" in str(error.value)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("DATA", "quickstart"), "'quickstart' is no file of rows"),
        (("quickstart", "--columns", "answer=a"), "--columns has no effect"),
        (("DATA", "--columns", "answer"), "is not a field=column"),
        (("DATA", "--columns", "anwser=a"), "no option 'anwser'"),
    ],
)
def test_mistakes(openvlt: Callable[..., str], data: Path, words: tuple[str, ...], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        openvlt("train", *(str(data) if word == "DATA" else word for word in words), "--plan")


def test_a_source_is_a_file_or_yaml_in_train_and_try(openvlt: Callable[..., str], data: Path) -> None:
    inline = f"{{use: rows, path: '{data}', question: q, answer: a}}"
    assert "Which is number 1?" in openvlt("try", "verifier", "answer", "--source", inline, "--limit", "2")
    plain = data.with_name("plain.jsonl")
    plain.write_text(json.dumps({"question": "How many?", "answer": "2"}))
    assert "How many?" in openvlt("try", "verifier", "answer", "--source", plain)


def test_relative_paths_in_a_recipe_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "r.yaml").write_text(
        "name: r\nbase: ../model\nbench: ./b.yaml\n"
        "train: {sft: {trainer: sft, data: {source: {use: rows, path: [a.jsonl, /b.jsonl, ~/c.jsonl]}}}}\n"
    )
    recipe = read_recipe(str(tmp_path / "below" / "r.yaml"), settings=["seed=1"])
    phase = recipe.iterations[0].train["sft"]
    assert phase.data is not None
    assert not isinstance(phase.data, str)
    assert phase.data.source["path"] == [str(tmp_path / "below/a.jsonl"), "/b.jsonl", "~/c.jsonl"]
    assert recipe.base.id == str(tmp_path / "below/../model")
    assert recipe.bench == [{"use": str(tmp_path / "below/b.yaml")}]


def test_what_datasets_saved_with_its_splits(openvlt: Callable[..., str], data: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"question": f"What is {number}?", "answer": "7"} for number in range(30)]
    splits = {"train": datasets.Dataset.from_list(rows), "test": datasets.Dataset.from_list(rows[:3])}
    datasets.DatasetDict(splits).save_to_disk(data.parent / "saved")
    with pytest.raises(DataError, match=r"only in the folders test, train\. Name one of them; or saved/\{split\}"):
        openvlt("train", "saved", "--plan")
    assert "saved/train: 30 rows" in openvlt("train", "saved/train", "--plan")
    assert "saved/{split}: 30 rows" in openvlt("train", "saved/{split}", "--plan")
    openvlt("new-recipe", "saved/{split}")
    (spec,) = read_recipe("saved.yaml").bench
    assert spec["source"] == {"use": "rows", "path": f"{data.parent}/saved/{{split}}"}, "the test split is the bench"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None, str]]:
    """A hub with one dataset; returns what is asked for."""
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[str, str | None, str]] = []

    def load_dataset(name: str, config: str | None, *, split: str, revision: str | None) -> Any:
        asked.append((name, config, split))
        if name != "owner/name":
            raise ConnectionError(f"Couldn't reach '{name}' on the Hub.\nSee the log.")
        pictures = [Pictures.new("RGB", (28, 28), (number * 8, 0, 0)) for number in range(30)]
        rows = {"problem": [f"Which is number {number}?" for number in range(30)], "answer": [*map(str, range(30))]}
        features = {"problem": "string", "answer": "string", "images": [datasets.Image()]}
        types = {name: datasets.Value(each) if isinstance(each, str) else each for name, each in features.items()}
        return datasets.Dataset.from_dict(
            {**rows, "images": [[each] for each in pictures]}, features=datasets.Features(types)
        )

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr("openvlt.tables.hub._prefer_cache_if_unreachable", lambda: None)
    return asked


def test_a_dataset_on_the_hub_is_data_too(openvlt: Callable[..., str], hub: list[tuple[str, str | None, str]]) -> None:
    shown = openvlt("train", "owner/name", "--plan")
    assert "owner/name: 30 rows, 30 questions, 30 with an image" in shown
    assert "  question   problem\n" in shown
    assert set(hub) == {("owner/name", None, "train")}
    hub.clear()
    openvlt("new-recipe", "owner/name:small", "--split", "testmini")
    assert set(hub) == {("owner/name", "small", "testmini")}
    (spec,) = read_recipe("name-small.yaml").bench
    assert spec["source"] == {
        "use": "rows", "dataset": "owner/name", "configs": ["small"], "held_out": 0.2, "seed": 0,
        "held_out_of": "testmini",
    }  # fmt: skip
    tried = openvlt("try", "verifier", "text", "--source", "owner/name", "--limit", "1")
    assert "=== rows train:1: Which is number 0? (gold: 0)" in tried
    # The id of a source stays one.
    assert "easy-vqa" in openvlt("train", "--source", "openvlt/easy-vqa", "--plan")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("owner/other",), r"dataset owner/other, split train, cannot be loaded from the hub or .*: Couldn't reach "),
        (("owner/name", "my questions.jsonl"), "'owner/name' is read as a dataset of the hub, which cannot be mixed"),
        (("quickstart", "--split", "dev"), "--split has no effect: 'quickstart' is a recipe"),
        (("my questions.jsonl", "--split", "dev"), "The source rows has no split 'dev'"),
        (("owner/name.yaml",), "name.yaml"),
    ],
)
def test_what_is_wrong_with_a_dataset_or_a_split(
    openvlt: Callable[..., str],
    data: Path,
    hub: list[tuple[str, str | None, str]],
    words: tuple[str, ...],
    message: str,
) -> None:
    with pytest.raises((DataError, UsageError), match=message):
        openvlt("train", *words, "--plan")
