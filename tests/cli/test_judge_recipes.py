"""Recipes with a judge: what a plan shows of it, what is refused before any work, and a whole loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge_endpoint import Endpoint
from openvlt.cli import cli
from openvlt.errors import OpenvltError, UsageError

RECIPE = """\
name: judged
base: {id: MODEL, backend: fake}
captioner: {use: qwen-vl, model: {id: base}, prompt: Describe the image.}
verifiers:
  judge: {use: judge, model: {id: judge, url: ["URL"]}}
rewards:
  answer: 1.0
  judge: {weight: 0.3, when: answer.unparsed}
traces:
  data: {source: {use: made, n: 6}}
  teacher: {use: tutor, k: 2, model: {id: base}}
  select: [correct]
train:
  grpo: {trainer: {use: copy-grpo, steps: 2}, data: {source: {use: made, n: 6}}}
"""

Openvlt = Callable[..., str]


@pytest.fixture
def openvlt(tmp_path: Path, fake_plugin: Path, fake_model: Path, endpoint: Endpoint) -> Openvlt:
    """Runs a command on the recipe, some words of which may be replaced."""

    def run(*words: str, **changes: str) -> str:
        text = RECIPE.replace("MODEL", str(fake_model)).replace("URL", endpoint.url)
        for old, new in changes.items():
            text = text.replace(old, new)
        (tmp_path / "judged.yaml").write_text(text)
        runner = CliRunner(env={"OPENVLT_HOME": str(tmp_path / "home"), "COLUMNS": "400"})
        command = [str(tmp_path / "judged.yaml") if word == "RECIPE" else word for word in words]
        done = runner.invoke(cli, ["--plugin", str(fake_plugin), *command])
        if done.exception is not None:
            raise done.exception
        return done.output

    return run


def lines(table: str) -> dict[str, str]:
    return {line.split()[0]: line for line in table.splitlines() if line.strip()}


def test_the_plan_tells_who_judges_where_and_which_key_goes_there(
    openvlt: Openvlt, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-of-the-judge")
    monkeypatch.setenv("OPENVLT_KEYS", "JUDGE_KEY@127.0.0.1")
    table = lines(openvlt("train", "RECIPE", "--plan"))
    assert f" judge at {endpoint.url} with $JUDGE_KEY" in table["verify-1"]
    assert f" base; judge at {endpoint.url} with $JUDGE_KEY" in table["grpo-1"]
    assert "judge at" not in table["distill-1"] and endpoint.prompts == []


@pytest.mark.slow
def test_a_loop_asks_only_where_the_rules_find_nothing(openvlt: Openvlt, endpoint: Endpoint) -> None:
    endpoint.reply = lambda prompt: "Verdict: yes"
    openvlt("train", "RECIPE", **{"answer.unparsed": "answer.incorrect"})
    (run,) = json.loads(openvlt("runs", "--json"))
    counts = {stage["name"]: stage["counts"] for stage in run["stages"]}
    assert counts["verify-1"]["asked"] and counts["grpo-1"]["judge/correct"] == 4
    asked = len(endpoint.prompts)
    openvlt("train", "RECIPE", **{"answer.unparsed": "answer.incorrect"})
    assert len(endpoint.prompts) == asked
    # other verdicts, of replies that pruning keeps
    openvlt("runs", "prune")
    changes = {
        "answer.unparsed": "answer.incorrect",
        "verifiers:": "verifiers:\n  answer: {use: answer, units: require}",
    }
    openvlt("distill", "RECIPE", "--name", "again", **changes)
    assert len(endpoint.prompts) == asked


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "an unknown status": (
        {"answer.unparsed": "answer.unpassed"},
        "judged.yaml:8: rewards.judge: The weight of 'judge' has the condition 'answer.unpassed', and 'unpassed' is no "
        "status of a verdict. Did you mean 'unparsed'?",
    ),
    "an unknown verifier": (
        {"answer.unparsed": "anwser.unparsed"},
        "and 'anwser' is not among the verifiers.",
    ),
    "no verifier": ({"answer.unparsed": "unparsed"}, "has the condition 'unparsed', and '' is not among the verifiers."),
    "verifiers that wait for each other": (
        {"answer: 1.0": "answer: {weight: 1.0, when: format.scored}\n  format: {weight: 1.0, when: judge.correct}"},
        "judged.yaml:9: rewards.judge: The weight of 'judge' has the condition 'answer.unparsed', and 'answer' cannot "
        "run before it. Remove a condition: none may wait for itself.",
    ),
    "a misspelt key": (
        {"when: answer": "wen: answer"}, "judged.yaml:8: there is no key 'rewards.judge.wen'. Did you mean 'when'?",
    ),
    "no number": ({"weight: 0.3": "weight: much"}, "judged.yaml:8: rewards.judge.weight is 'much'."),
    "no weight at all": ({"answer: 1.0": "answer: some"}, "judged.yaml:7: rewards.answer is 'some'."),
    "a route to nothing": (
        {"traces:": "routes: {made: {answer: {weight: 1.0, when: format.odd}}}\ntraces:"},
        "routes.made.answer: The weight of 'answer' has the condition 'format.odd', and 'format' is not among",
    ),
    "an unknown option": (
        {"{use: judge, ": "{use: judge, rubrik: brevity, "},
        "verifiers.judge.rubrik: The verifier 'judge' has no option 'rubrik'. Did you mean 'rubric'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_mistake_is_reported_with_its_position(openvlt: Openvlt, mistake: str) -> None:
    changes, message = REFUSED[mistake]
    with pytest.raises(UsageError) as caught:
        openvlt("train", "RECIPE", "--plan", **changes)
    assert message in str(caught.value)


def test_a_training_asks_no_model_of_this_machine(openvlt: Openvlt, endpoint: Endpoint) -> None:
    here = {f'{{id: judge, url: ["{endpoint.url}"]}}': "{id: base}"}
    with pytest.raises(UsageError, match="verifier judge asks 'base', which no endpoint serves; a training can ask no"):
        openvlt("train", "RECIPE", **here)
    traces_only = {**here, "  judge: {weight: 0.3, when: answer.unparsed}\n": ""}
    table = lines(openvlt("train", "RECIPE", "--plan", **traces_only))
    assert "base" in table["verify-1"].split()
    assert "judge" not in table["grpo-1"], "a judge without a weight is not asked in a training"


@pytest.mark.slow
def test_the_policy_of_each_iteration_may_judge_its_traces(openvlt: Openvlt, endpoint: Endpoint) -> None:
    changes = {
        f'{{id: judge, url: ["{endpoint.url}"]}}': "{id: policy, backend: fake}",
        "  judge: {weight: 0.3, when: answer.unparsed}\n": "", "traces:": "iterations: 2\ntraces:",
        "select: [correct]": "select: [correct, {use: judge, model: {id: policy, backend: fake}}]",
    }  # fmt: skip
    openvlt("train", "RECIPE", **changes)
    (run,) = json.loads(openvlt("runs", "--json"))
    asked = {stage["name"]: stage["counts"].get("asked") for stage in run["stages"]}
    assert asked["verify-1"] and asked["verify-2"] and asked["select-1"] and asked["select-2"]
    assert asked["grpo-1"] is None and endpoint.prompts == []


def test_a_judge_that_is_not_there_ends_the_run_with_code_5(openvlt: Openvlt, endpoint: Endpoint) -> None:
    endpoint.server.shutdown()
    endpoint.server.server_close()
    with pytest.raises(OpenvltError, match="No endpoint of 'judge' responds") as caught:
        openvlt("train", "RECIPE", **{"{weight: 0.3, when: answer.unparsed}": "0.3"})
    assert caught.value.exit_code == 5


def test_a_trial_shows_what_the_judge_is_asked_and_replies(openvlt: Openvlt, endpoint: Endpoint) -> None:
    endpoint.reply = lambda prompt: "Just what I see.\nVerdict: yes"
    model = f"model={{id: judge, url: ['{endpoint.url}']}}"
    said = openvlt("try", "verifier", "judge", "--source", "made", "--limit", "1", "--set", model)
    assert "--- user\nYou are a strict judge." in said and "--- reply\nJust what I see." in said
    assert '"tier": "judge"' in said
