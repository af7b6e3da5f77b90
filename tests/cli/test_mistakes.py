"""Wrong recipes and command lines: each is refused before any work, by what is wrong, where, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub.errors import RepositoryNotFoundError

from openvlt.__main__ import run
from openvlt.pipeline import model_checks

RECIPE = """\
name: mine
base: {id: tiny-vl, dtype: float32}
captioner: {use: qwen-vl, model: base}
traces:
  data:
    source: {use: rows, path: rows.jsonl}
    limit: 20
  teacher: {use: chat, model: base, k: 2, max_tokens: 64}
  select: [correct, {use: per-question, count: 2}]
train:
  sft:
    trainer: {use: sft, epochs: 1, batch: 8, device_batch: 4}
  grpo:
    data: {source: {use: rows, path: rows.jsonl}, limit: 20}
    trainer: {use: grpo, prompts: 2, generations: 4, batch: 8, device_batch: 4}
rewards: {answer: 1.0, format: 0.1}
bench: [easy-vqa]
"""

RECIPES = [
    # keys
    ("name: mine", "nmae: mine", "wrong.yaml:1: there is no key 'nmae'. Did you mean 'name'?"),
    ("traces:", "trace:", "wrong.yaml:4: there is no key 'trace'. Did you mean 'traces'?"),
    ("    limit: 20\n", "    limt: 20\n", "wrong.yaml:7: there is no key 'iterations.0.traces.data.limt'. Did you mean 'limit'?"),
    ("id: tiny-vl", "ident: tiny-vl", "wrong.yaml:2: there is no key 'base.ident'. Did you mean 'id'?"),
    ("k: 2", "temprature: 1", "wrong.yaml:8: iterations.0.traces.teacher.temprature: The teacher 'chat' has no option 'temprature'. Did you mean 'temperature'?"),
    ("epochs: 1", "beta: 0.1", "wrong.yaml:12: iterations.0.train.sft.trainer.beta: The trainer 'sft' has no option 'beta'. Choose one of: attention,"),
    ("bench: ", "epochs: 3\nbench: ", "wrong.yaml:17: there is no key 'epochs'. Did you mean train.sft.epochs?"),
    ("bench: ", "seed: 1\nseed: 2\nbench: ", "wrong.yaml:18: the key 'seed' is also on line 17. Remove one of the two"),
    ("    trainer: {use: sft, epochs: 1,", "    use: sft\n    with: {epochs: 1,", "Write trainer: {use: sft, with: {'epochs': 1, "),
    ("base: {id: tiny-vl, dtype: float32}\n", "", "wrong.yaml: the key 'base' is missing. Add it"),
    ("source: {use: rows, path: rows.jsonl}\n", "source: rows\n", "wrong.yaml:6: iterations.0.traces.data.source.path: Option 'path' of the source 'rows' is not given"),
    # names
    ("use: chat", "use: chatt", "wrong.yaml:8: iterations.0.traces.teacher: There is no teacher 'chatt'. Did you mean 'chat'?"),
    ("use: chat", "use: sft", "wrong.yaml:8: iterations.0.traces.teacher: There is no teacher 'sft'. Choose one of: chat, chat-vl,"),
    ("[correct,", "[dedup,", "wrong.yaml:9: iterations.0.traces.select.0: The filter 'dedup' is no TraceFilter, which is needed here. Put filters"),
    ("answer: 1.0", "anser: 1.0", "wrong.yaml:16: rewards.anser: There is no verifier 'anser'. Did you mean 'answer'?"),
    ("[easy-vqa]", "[mine-bench.yaml]", "wrong.yaml:17: bench.0: The benchmark file 'mine-bench.yaml' cannot be read: No such file"),
    ("[easy-vqa]", "[easy-vqa, easy-vqa]", "wrong.yaml:17: bench.1: the benchmark easy-vqa is named twice. Name each"),
    ("[easy-vqa]", "{use: easy-vqa, split: tset}", "wrong.yaml:17: bench.0.split: The benchmark easy-vqa has no split 'tset'. Did you mean 'test'?"),
    ("    limit: 20\n", "    split: trian\n", "wrong.yaml:7: iterations.0.traces.data.split: The source rows has no split 'trian'. Did you mean 'train'?"),
    ("dtype: float32", "backend: hff", "There is no backend 'hff'. Did you mean 'hf'?"),
    ("    trainer: {use: sft,", "    start: previus\n    trainer: {use: sft,", "The phase sft-1 runs 'previus', which is no folder here. Did you mean 'previous'?"),
    # values
    ("    limit: 20\n", "    limit: 0\n", "wrong.yaml:7: iterations.0.traces.data.limit is 0. It must be at least 1."),
    ("k: 2", "k: -3", "wrong.yaml:8: iterations.0.traces.teacher.k: Option 'k' of the teacher 'chat' is -3, but it must be at least 1."),
    ("k: 2", "top_p: 3", "Option 'top_p' of the teacher 'chat' is 3, but it must be above 0 and at most 1."),
    ("epochs: 1", "epochs: -1", "wrong.yaml:12: iterations.0.train.sft.trainer.epochs: Option 'epochs' of the trainer 'sft' is -1, but it must be at least 1."),
    ("epochs: 1", "learning_rate: -0.1", "Option 'learning_rate' of the trainer 'sft' is -0.1, but it must be above 0 and below 1."),
    ("epochs: 1", "freeze: [visual]", "is 'visual', but it must be 'vision' or 'projector'. Did you mean 'vision'?"),
    ("epochs: 1", "schedule: cosin", "Did you mean 'cosine'?"),
    ("batch: 8, device_batch: 4}\n  grpo", "batch: 10, device_batch: 4}\n  grpo", "wrong.yaml:12: iterations.0.train.sft.trainer: A batch of 10 cannot be divided into micro-batches of 4 on each of 1 devices (options batch, device_batch and devices). Choose batch as a multiple of device_batch x devices, such as 8 or 12."),
    ("generations: 4", "generations: 3", "wrong.yaml:15: iterations.0.train.grpo.trainer: GRPO cannot divide 6 responses (prompts x generations) into batches of 8. Choose batch as a divisor of prompts x generations, such as 6."),
    ("prompts: 2", "prompts: 24", "Stage grpo-1: GRPO has 20 examples, fewer than the 24 prompts of one batch. Load more examples"),
    ("bench: ", "seed: -1\nbench: ", "wrong.yaml:17: seed is -1. It must be at least 0."),
    ("dtype: float32", "dtype: float8", "wrong.yaml:2: base.dtype is 'float8'. It must be 'auto', 'float32', 'bfloat16' or 'float16'."),
    ("rewards: {answer: 1.0, format: 0.1}", "rewards: [answer]", "wrong.yaml:16: rewards is ['answer']. Write a mapping."),
    # files
    ("id: tiny-vl", "id: ./nothing", "The base runs 'nothing', which is neither a folder nor the id of a model on the hub. Give a folder that exists"),
    ("id: tiny-vl", "id: models/nothing", "The base runs models/nothing, which is no folder here and not in the hub's cache"),
    ("rows.jsonl}\n", "nothing.jsonl}\n", "wrong.yaml:6: iterations.0.traces.data.source: The data 'nothing.jsonl' does not exist. Name a file"),
    ("rows.jsonl}\n", "picture.png}\n", "wrong.yaml:6: iterations.0.traces.data.source: 'picture.png' has an unknown format. Use one of: .jsonl,"),
    ("rows.jsonl}\n", "rows.jsonl, question: q}\n", "wrong.yaml:6: iterations.0.traces.data.source: The source rows can use none of its first 30 rows (30 x there is no column 'q'). Fix the data"),
    # YAML
    (RECIPE, "", "wrong.yaml is not a recipe: it must be a mapping. See"),
    (RECIPE, '{"name": "mine"}', "wrong.yaml: the key 'base' is missing. Add it"),
    ("[easy-vqa]", "[easy-vqa", "wrong.yaml:18: this is not YAML: expected ',' or ']'"),
]  # fmt: skip
"""What is replaced in the recipe, by what, and what the message says."""

COMMANDS = [
    ("trian mine.yaml", "There is no command 'trian'. Did you mean 'train'?"),
    ("train quikstart", "There is no recipe 'quikstart'. Did you mean 'quickstart'?"),
    ("train nothing.yaml", "The recipe file nothing.yaml does not exist. Recipes by name: "),
    ("train mine.yaml --set epochs=3", "--set epochs=3: there is no key 'epochs'. Did you mean train.sft.epochs?"),
    ("train mine.yaml --set limit=3", "Did you mean traces.data.limit or train.grpo.data.limit?"),
    ("train mine.yaml --set warmup=0", "there is no key 'warmup'. An option is set below its component, such as train.grpo"),
    ("train mine.yaml --set sead=1", "--set sead=1: there is no key 'sead'. Did you mean 'seed'?"),
    ("train mine.yaml --set train.sft.epoch=3", "The trainer 'sft' has no option 'epoch'. Did you mean 'epochs'?"),
    ("train mine.yaml --set train.sftt.epochs=3", "no iteration has a phase 'sftt'. Did you mean 'sft'?"),
    ("train mine.yaml --set train.sft.epochs=0", "--set train.sft.epochs=0: iterations.0.train.sft.trainer.epochs: Option"),
    ("train mine.yaml --set seed", "--set seed has no value. Write --set a.b=c"),
    ("train mine.yaml --set seed=[1", "--set seed=[1: the value is not YAML. Quote it"),
    ("train mine.yaml --set traces.select.5=correct", "'5' must be a number below 2. Lists count from 0"),
    ("train mine.yaml --set traces.teacher.k=0", "is 0, but it must be at least 1."),
    ("train mine.yaml --name a/b", "'a/b' cannot be the name of a run. Use up to 100 letters"),
    ("train mine.yaml --iterations 0", "Invalid value for '--iterations': 0 is not in the range x>=1."),
    ("train mine.yaml --iterations two", "Invalid value for '--iterations': 'two' is not"),
    ("train mine.yaml --teacher nobody", "--teacher nobody: iterations.0.traces.teacher: There is no teacher 'nobody'. Choose"),
    ("train mine.yaml --base rows.jsonl", "The base runs 'rows.jsonl', which is no model: it has no config.json. Give a"),
    ("train mine.yaml --base folder", "The base runs 'folder', which is no model: it has no config.json. Give a"),
    ("train mine.yaml --teacher-url foo", "The teacher has a URL that is not a plain address: foo"),
    ("train mine.yaml --epochs 3", "No such option '--epochs'."),
    ("distill mine.yaml --out rows.jsonl", "rows.jsonl contains files that openvlt did not write. Give --out a new folder."),
    ("bench easy-vqa", "None of --model, --responses and --rescore given. Give exactly one."),
    ("bench easy-vaq --model tiny-vl", "There is no benchmark 'easy-vaq'. Did you mean 'easy-vqa'?"),
    ("bench easy-vqa --model tiny-vl --limit -3", "Invalid value for '--limit': -3 is not in the range x>=1."),
    ("bench easy-vqa --model tiny-vl --backend hff", "There is no backend 'hff'. Did you mean 'hf'?"),
    ("bench easy-vqa --model nothing/", "The model 'nothing/' is neither a folder nor a hub id. Give a folder"),
    ("bench easy-vqa --model run:nothing", "There is no run 'nothing' in "),
    ("bench easy-vqa --responses folder", "The response file 'folder' is no file. Name a .jsonl,"),
    ("bench mine.yaml --model tiny-vl", "'mine.yaml' defines no benchmark: it has no key 'use'. Begin it with 'use: qa'."),
    ("compare a b", "There is no benchmark result 'a'."),
    ("verify 3 4 --verifier anser", "--verifier: There is no verifier 'anser'. Did you mean 'answer'?"),
    ("verify --file nothing.jsonl", "'nothing.jsonl' cannot be read: No such file or directory. Name a file"),
    ("try source rows --set path=rows.jsonl --split test", "has only 'train'. Choose 'train', or write {split}"),
    ("describe teacher chatt", "There is no teacher 'chatt'. Did you mean 'chat'?"),
    ("report nothing", "There is no run 'nothing' in "),
]  # fmt: skip


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Runs a command that must be refused with nothing computed, and returns what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(model_checks, "reachable", lambda: False)
    rows = ({"id": n, "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(30))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine.yaml").write_text(RECIPE)

    def command(line: str) -> str:
        code = run(line.split())
        said = capsys.readouterr().err.strip()
        assert code in (2, 3, 4), said
        assert "Traceback" not in said and "unexpected " not in said
        assert not list((tmp_path / "home").glob("stages/*")), "nothing is computed"
        return " ".join(said.split()).replace(f"{tmp_path}/", "")  # a recipe's paths are relative to it

    return command


@pytest.mark.parametrize(("old", "new", "told"), RECIPES)
def test_a_wrong_recipe_is_refused(refused: Callable[[str], str], old: str, new: str, told: str) -> None:
    assert old in RECIPE
    Path("wrong.yaml").write_text(RECIPE.replace(old, new, 1))
    assert told in refused("train wrong.yaml")


@pytest.mark.parametrize(("line", "told"), COMMANDS)
def test_a_wrong_command_line_is_refused(refused: Callable[[str], str], line: str, told: str) -> None:
    assert told in refused(line)


def test_a_model_that_the_hub_does_not_have(refused: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise RepositoryNotFoundError("404", response=httpx.Response(404, request=httpx.Request("GET", "https://hub")))

    monkeypatch.setattr(model_checks, "reachable", lambda: True)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", missing)
    told = (
        "The base runs models/nothing, which is no folder here and no model of the hub that may be read. Give another"
    )
    assert told in refused("train mine.yaml --base models/nothing")


def test_the_recipe_itself_is_a_plan(
    refused: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "mine.yaml", "--plan", "--set", "traces.select=correct"]) == 0
    assert "cannot be carried out" not in capsys.readouterr().err
