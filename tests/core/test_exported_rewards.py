"""The reward of a recipe is the same in its own trainings, in any TRL script, and in verl and EasyR1."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyarrow import parquet

import openvlt
from openvlt import Claim, Completion, Example, Format, parse
from openvlt.integrations.exports import export_easyr1, export_verl
from openvlt.integrations.scores import write_reward
from openvlt.records import Row
from openvlt.registry import Registry
from openvlt.store import ImageStore
from openvlt.verification import Reward, VerifierRunner

ALONE: dict[str, Any] = {
    "rewards": {"answer": 1.0, "format": 0.25, "repetition": {"weight": 0.5, "when": "answer.incorrect"}},
    "routes": {"charts": {"number": 2.0, "format": 0.5}},
    "verifiers": {"number": {"use": "number", "tolerance": 0.1}},
}
GROUPED = {**ALONE, "rewards": {"answer": 1.0, "length": 0.5}}
EXAMPLES = [
    Example(id="letter", question="Which?", answer="B", choices=("red", "green", "blue"), answer_type="choice"),
    Example(id="content", question="Which?", answer="green", choices=("red", "green"), metadata={"level": 3}),
    Example(id="decimals", question="How much?", answer="1.23", answer_type="float", precision=2, unit="kg"),
    Example(id="chart", question="How many?", answer="200", source="charts"),
    Example(id="yes", question="Is it?", answer="yes", answer_type="yes_no"),
    Example(id="box", question="Where?", answer="[1, 2, 30, 40]", answer_type="box"),
    Example(id="bad", question="What?", answer="\\frac{1}{"),
]
ANSWERS = ["B", "b", "green", "C", "1.234", "1.23 kg", "1230 g", "210", "200", "230", "yes", "No", "[1,2,30,40]", ""]


def samples(count: int) -> Iterator[tuple[Example, str]]:
    random = Random(7)
    for _ in range(count):
        answer, think = random.choice(ANSWERS), "so " * random.randint(0, 60)
        shapes = [f"<think>{think}</think>\n<answer>{answer}</answer>", f"{think}\\boxed{{{answer}}}", answer]
        yield random.choice(EXAMPLES), random.choice(shapes)


def exported(form: str, recipe: dict[str, Any], folder: Path) -> tuple[Any, dict[str, dict[str, Any]]]:
    """The function that an export comes with, and its rows by example."""
    write = {"easyr1": export_easyr1, "verl": export_verl}[form]
    write((Row(example=each) for each in EXAMPLES), Format(), ImageStore(folder / "images"), folder, "run")
    write_reward(folder, {**recipe, "format": {}, "plugins": []})
    rows = [row for file in sorted((folder / "data").iterdir()) for row in parquet.read_table(file).to_pylist()]
    function = runpy.run_path(str(folder / "reward.py"))["compute_score"]
    return function, dict(zip((example.id for example in EXAMPLES), rows, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [ALONE, GROUPED], ids=["alone", "grouped"])
def test_every_trainer_pays_the_same(recipe: dict[str, Any], tmp_path: Path) -> None:
    given = list(samples(1000))
    registry, names = Registry.discover(), dict.fromkeys([*recipe["verifiers"], *recipe["rewards"], "format"])
    built = {name: registry.build("verifier", recipe["verifiers"].get(name, name)) for name in names}
    claims = [
        Claim(trace=parse(Completion(text=response), Format()), example=example, group=example.id)
        for example, response in given
    ]
    with VerifierRunner(built, format=Format()) as runner:
        own = [row.reward for row in Reward(runner, recipe["rewards"], recipe["routes"]).score(claims)]
    assert len({*own}) > 5 and None in own

    easyr1, rows = exported("easyr1", recipe, tmp_path / "easyr1")
    inputs = [{"response": response, "ground_truth": rows[example.id]["answer"]} for example, response in given]
    assert [(row["overall"], row["unscored"]) for row in easyr1(inputs)] == [(each or 0, each is None) for each in own]

    columns = {
        name: [getattr(example, name) for example, _ in given]
        for name in ("id", "answer", "choices", "answer_type", "precision", "unit", "source")
    }
    trl = openvlt.reward(recipe["rewards"], specs=recipe["verifiers"], routes=recipe["routes"], budget=None)
    assert trl(completions=[response for _, response in given], **columns) == own

    if recipe is ALONE:  # verl scores samples one by one, so it has no groups
        verl, rows = exported("verl", recipe, tmp_path / "verl")
        for (example, response), reward in zip(given, own, strict=True):
            row = rows[example.id]
            found = verl(row["data_source"], response, row["reward_model"]["ground_truth"], row["extra_info"])
            assert (found["score"], found["unscored"]) == (reward or 0, reward is None)


def test_an_export_keeps_the_gold_for_other_rewards(tmp_path: Path) -> None:
    _, rows = exported("verl", ALONE, tmp_path)
    assert rows["letter"]["reward_model"]["ground_truth"] == "B"
    assert json.loads(rows["letter"]["extra_info"]["example"])["openvlt"]["choices"] == ["red", "green", "blue"]
