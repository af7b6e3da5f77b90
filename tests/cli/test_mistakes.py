"""Wrong recipes and command lines: each is refused before any work, by what is wrong, where, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
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

OWN = """
  - use: qa
    scorings: {strict: answer}
    source: {use: rows,
      path: rows.jsonl}
    split: train"""
"""A benchmark inline."""

BENCH = """
  - use: qa
    split: test
    source:
      {use: rows, path: rows.jsonl,
       held_out: 0.2}
    scorings: {exact: answer}
"""

RECIPES = [
    # keys
    ("name: mine", "nmae: mine", "wrong.yaml:1: there is no key 'nmae'. Did you mean 'name'?"),
    ("traces:", "trace:", "wrong.yaml:4: there is no key 'trace'. Did you mean 'traces'?"),
    ("    limit: 20\n", "    limt: 20\n", "wrong.yaml:7: there is no key 'iterations.0.traces.data.limt'. Did you mean 'limit'?"),
    ("id: tiny-vl", "ident: tiny-vl", "wrong.yaml:2: there is no key 'base.ident'. Did you mean 'id'?"),
    ("k: 2", "temprature: 1", "wrong.yaml:8: iterations.0.traces.teacher.temprature: The teacher 'chat' has no option 'temprature'. Did you mean 'temperature'?"),
    ("generations: 4,", "generations: 4, extra: {importance_samplin_level: sequence},", "wrong.yaml:15: iterations.0.train.grpo.trainer.extra: Stage grpo-1: The option extra names importance_samplin_level, which is no field of GRPOConfig. Did you mean 'importance_sampling_level'?"),
    ("epochs: 1", "vllm: server", "wrong.yaml:12: iterations.0.train.sft.trainer.vllm: The trainer 'sft' has no option 'vllm'. Choose one of: "),
    ("bench: ", "epochs: 3\nbench: ", "wrong.yaml:17: there is no key 'epochs'. Did you mean train.sft.epochs?"),
    ("bench: ", "seed: 1\nseed: 2\nbench: ", "wrong.yaml:18: the key 'seed' is also on line 17. Remove one of the two"),
    ("    trainer: {use: sft, epochs: 1,", "    use: sft\n    with: {epochs: 1,", "Write trainer: {use: sft, with: {'epochs': 1, "),
    ("base: {id: tiny-vl, dtype: float32}\n", "", "wrong.yaml: the key 'base' is missing. Add it"),
    ("source: {use: rows, path: rows.jsonl}\n", "source: rows\n", "wrong.yaml:6: iterations.0.traces.data.source: The source rows needs either a path or a dataset. Set one"),
    ("train:\n", "iterations: []\ntrain:\n", "wrong.yaml:10: iterations is [], so that traces and train would have no effect. Remove the key"),
    ("bench: ", "routes: {rosw: {answer: 1.0}}\nbench: ", "wrong.yaml:17: routes.rosw: There is no source 'rosw'. Did you mean 'rows'?"),
    # names
    ("use: chat", "use: chatt", "wrong.yaml:8: iterations.0.traces.teacher: There is no teacher 'chatt'. Did you mean 'chat'?"),
    ("use: chat", "use: sft", "wrong.yaml:8: iterations.0.traces.teacher: There is no teacher 'sft'. Choose one of: chat, chat-vl,"),
    ("[correct,", "[dedup,", "wrong.yaml:9: iterations.0.traces.select.0: The filter 'dedup' is no TraceFilter, which is needed here. Put filters"),
    ("answer: 1.0", "anser: 1.0", "wrong.yaml:16: rewards.anser: There is no verifier 'anser'. Did you mean 'answer'?"),
    ("[easy-vqa]", "[mine-bench.yaml]", "wrong.yaml:17: bench.0: The benchmark file 'mine-bench.yaml' cannot be read: No such file"),
    ("[easy-vqa]", "[easy-vqa, easy-vqa]", "wrong.yaml:17: bench.1: the benchmark easy-vqa is named twice. Name each"),
    ("[easy-vqa]", "{use: easy-vqa, split: tset}", "wrong.yaml:17: bench.0.split: The benchmark easy-vqa has no split 'tset'. Did you mean 'test'?"),
    ("[easy-vqa]", "[rows.jsonl]", "wrong.yaml:17: bench.0: 'rows.jsonl' is a file of rows, which does not say how answers to it are scored. Write"),
    ("[easy-vqa]", "[{use: easy-vqa, limt: 3}]", "wrong.yaml:17: bench.0.limt: The benchmark 'easy-vqa' has no option 'limt'. Did you mean 'limit'?"),
    ("[easy-vqa]", "[{use: easy-vqa, limit: 0}]", "wrong.yaml:17: bench.0.limit: The limit of a benchmark is 0. It must be a whole number, at least 1."),
    ("[easy-vqa]", "[{use: easy-vqa, name: a/b}]", "wrong.yaml:17: bench.0.name: The name of a benchmark is 'a/b'. Use letters"),
    ("[easy-vqa]", "[{use: easy-vqa, data: rows.jsonl}]", "wrong.yaml:17: bench.0.data: The data of the benchmark easy-vqa cannot be replaced."),
    ("[easy-vqa]", OWN.replace("answer", "anser"), "wrong.yaml:19: bench.0.scorings.strict: There is no verifier 'anser'. Did you mean 'answer'?"),
    ("[easy-vqa]", OWN.replace("use: rows", "use: row"), "wrong.yaml:20: bench.0.source: There is no source 'row'. Did you mean 'rows'?"),
    ("[easy-vqa]", OWN.replace("path", "pth"), "wrong.yaml:21: bench.0.source.pth: The source 'rows' has no option 'pth'. Did you mean 'path'?"),
    ("[easy-vqa]", OWN.replace("rows.jsonl", "nothing.jsonl"), "wrong.yaml:20: bench.0.source: The data 'nothing.jsonl' does not exist. Name a file"),
    ("[easy-vqa]", OWN.replace("train", "test"), "wrong.yaml:20: bench.0.source: The source rows has no split 'test', since rows.jsonl has only 'train'."),
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
    ("generations: 4", "generations: 3", "wrong.yaml:15: iterations.0.train.grpo.trainer: GRPO cannot divide 6 responses (prompts x generations) into batches of 8, and these into micro-batches of 4 on each of 1 devices. Choose batch as a divisor of prompts x generations and a multiple of device_batch x devices, such as 6 with device_batch: 3."),
    ("prompts: 2", "prompts: 24", "Stage grpo-1 has 20 prompts to learn from, fewer than one batch (24). Load more examples, or train on fewer (--set train.grpo.min_rows=20)."),
    ("bench: ", "seed: -1\nbench: ", "wrong.yaml:17: seed is -1. It must be at least 0."),
    ("    trainer: {use: sft,", "    min_rows: 0\n    trainer: {use: sft,", "wrong.yaml:12: iterations.0.train.sft.min_rows is 0. It must be at least 1."),
    ("    trainer: {use: sft,", "    min_rows: 41\n    trainer: {use: sft,", "Stage sft-1 has 40 traces to learn from, fewer than the 41 of min_rows. Load more examples, raise the teacher's k,"),
    ("dtype: float32", "dtype: float8", "wrong.yaml:2: base.dtype is 'float8'. It must be 'auto', 'float32', 'bfloat16' or 'float16'."),
    ("rewards: {answer: 1.0, format: 0.1}", "rewards: [answer]", "wrong.yaml:16: rewards is ['answer']. Write a mapping."),
    # inside a benchmark
    ("[easy-vqa]", BENCH.replace("split: test", "split: tset"), "wrong.yaml:19: bench.0.split: The benchmark rows has no split 'tset'. Did you mean 'test'?"),
    ("[easy-vqa]", BENCH.replace("path:", "paths:"), "wrong.yaml:21: bench.0.source.paths: The source 'rows' has no option 'paths'. Did you mean 'path'?"),
    ("[easy-vqa]", BENCH.replace("held_out: 0.2", "held_out: -1"), "wrong.yaml:22: bench.0.source.held_out: Option 'held_out' of the source 'rows' is -1, but it must be at least 0."),
    ("[easy-vqa]", BENCH.replace("use: rows", "use: rosw"), "wrong.yaml:20: bench.0.source: There is no source 'rosw'. Did you mean 'rows'?"),
    ("[easy-vqa]", BENCH.replace("rows.jsonl", "nothing.jsonl"), "wrong.yaml:20: bench.0.source: The data 'nothing.jsonl' does not exist."),
    ("[easy-vqa]", BENCH.replace("exact: answer", "exact: anser"), "wrong.yaml:23: bench.0.scorings.exact: There is no verifier 'anser'. Did you mean 'answer'?"),
    # files
    ("id: tiny-vl", "id: ./nothing", "The base runs 'nothing', which is neither a folder nor the id of a model on the hub. Give a folder that exists"),
    ("id: tiny-vl", "id: models/nothing", "The base runs models/nothing, which is no folder here and not in the hub's cache"),
    ("rows.jsonl}\n", "nothing.jsonl}\n", "wrong.yaml:6: iterations.0.traces.data.source: The data 'nothing.jsonl' does not exist. Name a file"),
    ("rows.jsonl}\n", "picture.png}\n", "wrong.yaml:6: iterations.0.traces.data.source: 'picture.png' has an unknown format. Use one of: .jsonl,"),
    ("rows.jsonl}\n", "rows.jsonl, question: q}\n", "wrong.yaml:6: iterations.0.traces.data.source: The source rows can use none of its first 30 rows (30 x there is no column 'q' among question, id, answer). Fix the data"),
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
    ("train mine.yaml --set split=test", "there is no key 'split'. Did you mean traces.data.split or train.grpo.data.split?"),
    ("train mine.yaml --set min_rows=4", "there is no key 'min_rows'. Did you mean train.sft.min_rows or train.grpo.min_rows?"),
    ("train mine.yaml --set sft.epochs=3", "--set sft.epochs=3: there is no key 'sft'. Did you mean train.sft.epochs?"),
    ("train mine.yaml --set trainer.epochs=3", "there is no key 'trainer'. Did you mean train.sft.epochs?"),
    ("train mine.yaml --set teacher.k=3", "there is no key 'teacher'. Did you mean traces.teacher.k?"),
    ("train mine.yaml --set data.limit=3", "there is no key 'data'. Did you mean traces.data.limit or train.grpo.data.limit?"),
    ("train mine.yaml --set select=correct", "there is no key 'select'. Did you mean traces.select?"),
    ("train mine.yaml --set traces.k=3", "there is no key 'iterations.0.traces.k'. Did you mean traces.teacher.k?"),
    ("train mine.yaml --set traces.limit=3", "there is no key 'iterations.0.traces.limit'. Did you mean traces.data.limit?"),
    ("train mine.yaml --set train.epochs=3", "no iteration has a phase 'epochs'. Did you mean train.sft.epochs?"),
    ("train mine.yaml --set count=1", "there is no key 'count'. Did you mean traces.select.1.count?"),
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
    ("compare a b", "There is no run or benchmark result 'a'."),
    ("verify 3 4 --verifier anser", "--verifier: There is no verifier 'anser'. Did you mean 'answer'?"),
    ("verify --file nothing.jsonl", "'nothing.jsonl' cannot be read: No such file or directory. Name a file"),
    ("try source rows --set path=rows.jsonl --split test", "has only 'train'. Choose 'train', or write {split}"),
    ("describe teacher chatt", "There is no teacher 'chatt'. Did you mean 'chat'?"),
    ("report nothing", "There is no run or benchmark result 'nothing'"),
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


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("use: qa", "use: qaa", "own.yaml:1: use: There is no benchmark 'qaa'. Did you mean 'qa'?"),
        ("split", "splt", "own.yaml:5: splt: The benchmark 'qa' has no option 'splt'. Did you mean 'split'?"),
        ("strict: answer", "strict: anser", "own.yaml:2: scorings.strict: There is no verifier 'anser'. Did you mean"),
        ("path", "pth", "own.yaml:4: source.pth: The source 'rows' has no option 'pth'. Did you mean 'path'?"),
        ("rows.jsonl", "nothing.jsonl", "own.yaml:3: source: The data 'nothing.jsonl' does not exist. Name a file"),
        (
            "split: train",
            "split: train\nlimit: all",
            "own.yaml:6: limit: The limit of a benchmark is 'all'. It must be",
        ),
        (
            "split: train",
            "split: tran",
            "own.yaml:5: split: The benchmark own has no split 'tran'. Did you mean 'train'?",
        ),
        ("split: train", "", "own.yaml: split: Option 'split' of the benchmark 'qa' is not given"),
    ],
)
@pytest.mark.parametrize("command", ["train wrong.yaml", "train wrong.yaml --plan", "bench own.yaml --model tiny-vl"])
def test_a_wrong_benchmark_file_is_refused(
    refused: Callable[[str], str], command: str, old: str, new: str, told: str
) -> None:
    own = dedent(OWN.replace("  - ", "    ")).strip()
    assert old in own
    Path("own.yaml").write_text(own.replace(old, new, 1))
    Path("wrong.yaml").write_text(RECIPE.replace("[easy-vqa]", "./own.yaml"))
    assert told in refused(command)


def test_a_plan_says_where_data_is_named_that_is_not_there(refused: Callable[[str], str]) -> None:
    Path("wrong.yaml").write_text(RECIPE.replace("rows.jsonl", "nothing.jsonl"))
    assert "wrong.yaml:6: iterations.0.traces.data.source: The data 'nothing" in refused("train wrong.yaml --plan")


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
