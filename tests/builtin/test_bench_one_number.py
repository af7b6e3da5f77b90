"""`openvlt train` and `openvlt bench` score the same replies alike, to the item, on built-in benchmarks of every make."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_bench_prompts import ROWS

from openvlt.__main__ import run
from openvlt.registry import Registry
from openvlt.registry.targets import is_data, read_data
from openvlt.tables import read_rows

NAMES = sorted([*ROWS, "easy-vqa"])
QUESTIONS = 20

PLUGIN = '''
"""A model that replies in ten shapes, by the colour of the picture it sees, and a verifier that fails on some."""
import hashlib, json, os
from contextlib import contextmanager
from dataclasses import dataclass
from openvlt import Backend, Completion, Rejected, Verdict, Verifier, hookimpl

SHAPES = (
    "<think>I look.</think>\\n<answer>{}</answer>",
    "so it is \\\\boxed{{{}}}",
    "I look at it. The answer is {}.",
    "{}",
    "",
    "The answer is {} and CUT",
    "It was shaky. \\\\boxed{{{}}}",
    "LONG",
    "<think>the answer is not yet CUT",
    "twice \\\\boxed{{wrong}} \\\\boxed{{{}}}",
)


@hookimpl
def register_backends(register):
    register("shapes", Shapes, summary="ten shapes of replies")


@hookimpl
def register_verifiers(register):
    register("shaky", Shaky, summary="fails on some responses")


class Engine:
    def __init__(self, read):
        self.read = read
        with open(os.environ["GOLDS"]) as file:
            self.golds = json.load(file)

    def generate(self, requests, sampling):
        return [self.reply(request) for request in requests]

    def reply(self, request):
        images = [part for message in request.messages for part in message.content if not isinstance(part, str)]
        picture = self.read(images[0]).convert("RGB")
        number, benchmark, _ = picture.getpixel((0, 0))
        if picture.size != (8, 8):  # a real picture
            number, benchmark = hashlib.sha256(picture.tobytes()).digest()[0], 255
        golds = self.golds.get(str(benchmark), {"0": "yes", "1": "red"})
        gold = golds.get(str(number), "no") if number < 10 else "wrong"
        text = SHAPES[number % 10].format(gold)
        if text == "LONG":
            return Rejected(id="", reason="prompt over-long")
        text, cut, _ = text.partition(" CUT")
        return [Completion(text=text, finish_reason="length" if cut else "stop", completion_tokens=len(text))]


@dataclass(frozen=True)
class Shapes(Backend):
    capabilities = frozenset({"images"})

    @contextmanager
    def open(self, model, read):
        yield Engine(read)


@dataclass(frozen=True)
class Shaky(Verifier):
    inline = True

    def verify(self, claim):
        if "shaky" in claim.response:
            raise RuntimeError("shaken")
        return Verdict.correct() if claim.answer == claim.example.answer else Verdict.incorrect()
'''

RECIPE = """
name: shapes
base: {{id: {base}, backend: shapes}}
captioner: {{use: qwen-vl, model: {{id: {base}, backend: fake}}, prompt: Describe the image.}}
traces: {{data: {{source: {{use: made, n: 4}}}}, teacher: {{use: tutor, model: {{id: {base}, backend: fake}}}}}}
train: {{sft: {{trainer: {{use: copy-sft, steps: 1}}}}}}
rewards: {{answer: 1.0}}
bench: [{bench}]
bench_tokens: 64
"""
MODELS = ("base", "sft-1")


def definition(name: str, number: int, folder: Path) -> tuple[Path, dict[int, str]]:
    """Write a benchmark's YAML file with a verifier that may fail, and its data; returns also the gold answers."""
    from PIL import Image

    entry = Registry.discover().find("benchmark", name)
    if not is_data(entry.target):
        spec: dict[str, Any] = {"use": name, "scorings": {"exact": "answer", "shaky": "shaky"}}
        return written(folder / f"{name}.yaml", spec), {}
    spec = dict(read_data(entry.target))
    spec["source"] = {**spec["source"], "path": str(folder / f"{name}.jsonl")}
    spec["scorings"] = {**spec["scorings"], "shaky": "shaky"}
    spec["clusters"] = spec.get("clusters") or next(iter(spec["source"]["metadata"]))
    rows, golds = [], {}
    for index in range(QUESTIONS):
        row = {**ROWS[name][index % len(ROWS[name])]}
        row |= {key: str(index) for key in ("id", "pid", "sample_index", "question_id", "index") if key in row}
        Image.new("RGB", (8, 8), (index, number, 0)).save(folder / f"{number}-{index}.png")
        row |= {key: f"{number}-{index}.png" for key in ("image", "image_1", "image_2") if key in row}
        row.setdefault("image", f"{number}-{index}.png")
        rows.append(row)
        golds[index] = str({"1": "yes"}.get(row["gt_answer"], "no") if "gt_answer" in row else row["answer"])
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return written(folder / f"{name}.yaml", spec), golds


def written(path: Path, spec: Any) -> Path:
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, fake_plugin: Path) -> Iterator[tuple[Path, list[str]]]:
    """A run of a loop that is scored on all benchmarks; everything it scored from is deleted."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "base").mkdir()
    (folder / "base" / "skill.json").write_text('{"skill": 0.9}')
    (folder / "shapes.py").write_text(PLUGIN)
    made = {number: definition(name, number, folder) for number, name in enumerate(NAMES)}
    (folder / "golds.json").write_text(json.dumps({number: golds for number, (_, golds) in made.items()}))
    recipe = folder / "shapes.yaml"
    recipe.write_text(RECIPE.format(base=folder / "base", bench=", ".join(str(path) for path, _ in made.values())))
    plugins = ["--plugin", str(folder / "shapes.py"), "--plugin", str(fake_plugin)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENVLT_HOME", str(folder / "home"))
        patch.setenv("GOLDS", str(folder / "golds.json"))
        assert run([*plugins, "train", str(recipe)]) == 0
        home = folder / "home"
        stages = json.loads((home / "runs" / "shapes" / "run.json").read_text())["stages"]
        scored = [each for each in stages if each["stage_kind"] in ("bench", "score") or each["name"][5:] in NAMES]
        for stage in scored:
            shutil.copytree(home / stage["folder"], home / "runs" / "shapes" / stage["name"])
        for path in {home / "values", *(home / stage["folder"] for stage in scored)}:
            shutil.rmtree(path)
        (home / "values").mkdir()
        yield folder, plugins


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_train_and_bench_agree_to_the_item(
    trained: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str], name: str, model: str
) -> None:
    folder, plugins = trained
    home = folder / "home" / "runs"
    before = set(home.glob("*/result.json"))
    words = ["bench", str(folder / f"{name}.yaml"), "--model", f"run:shapes/{model}", "--max-tokens", "64", "--json"]
    capsys.readouterr()
    assert run([*plugins, *words]) == 0
    bench = json.loads(capsys.readouterr().out)
    run_json = json.loads((home / "shapes" / "run.json").read_text())
    (train,) = [score for score in run_json["scores"] if (score["benchmark"], score["stage"]) == (name, model)]
    for key in ("scores", "failed", "unparsed", "truncated", "unanswered", "mean_tokens", "clusters", "notes"):
        assert bench[key] == train[key], key
    assert bench["protocol_hash"] == train["protocol_hash"]
    (result,) = set(home.glob("*/result.json")) - before
    rows = list(read_rows(home / "shapes" / f"score-{name}-{model}" / "rows.jsonl"))
    assert rows == list(read_rows(result.parent / "rows.jsonl"))

    found = {row["example"]["id"]: row["judged"][0] for row in rows}
    over_long = [id for id, reason in bench["failed"].items() if reason == "prompt over-long"]
    shaky = [id for id, judged in found.items() if "shaky" in judged["trace"]["raw"]]
    for scoring, open_ids in ((bench["headline"], over_long), ("shaky", [*over_long, *shaky])):
        score = bench["scores"][scoring]
        assert open_ids and score["undecided"] == len(open_ids)
        assert score["bounds"][1] - score["bounds"][0] == pytest.approx(len(open_ids) / len(found))
        assert score["n"] == len(found)
    assert 0 < bench["scores"][bench["headline"]]["correct"] < len(found)


def test_prose_is_read_as_the_benchmark_reads_it(trained: tuple[Path, list[str]]) -> None:
    """A base model that answers in a phrase was a zero in one command and right in the other."""
    scores = trained[0] / "home" / "runs" / "shapes" / "score-mathvision-base" / "rows.jsonl"
    (prose,) = [row for row in read_rows(scores) if row["example"]["id"] == "2"]
    assert prose["judged"][0]["trace"]["raw"].startswith("I look at it. The answer is")
    assert prose["judged"][0]["verdicts"]["strict"]["status"] == "correct"
