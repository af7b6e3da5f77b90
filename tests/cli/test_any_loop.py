"""A recipe may say any loop: what it plans is what it runs, whatever its shape."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openvlt.cli import cli
from openvlt.errors import DataError, OpenvltError, UsageError

PAIRS = Path(__file__).parents[1] / "plugins" / "pairs-trainer" / "openvlt_pairs_trainer.py"
CHAINS = "traces: {data: {source: SOURCE}, teacher: TEACHER, select: [correct]}"
ALL_CHAINS = "traces: {data: {source: SOURCE}, teacher: TEACHER}"
SFT, GRPO = "trainer: SFT", "trainer: GRPO, data: {source: SOURCE}"

SHAPES: dict[str, tuple[str, list[str]]] = {
    "GRPO straight from the base": (f"train: {{grpo: {{{GRPO}}}}}", ["grpo-1"]),
    "SFT only": (f"{CHAINS}\ntrain: {{sft: {{{SFT}}}}}", ["sft-1"]),
    "SFT from the policy": (
        f"{CHAINS}\ntrain: {{sft: {{{SFT}, start: previous}}}}\niterations: 2",
        ["sft-1", "sft-2"],
    ),
    "GRPO, then distil from it, then SFT from the base, then GRPO": (
        f"iterations:\n  - train: {{grpo: {{{GRPO}}}}}\n"
        "  - traces: {data: {source: SOURCE}, teacher: policy, select: [correct]}\n"
        f"    train: {{sft: {{{SFT}}}, grpo: {{{GRPO}}}}}",
        ["grpo-1", "sft-2", "grpo-2"],
    ),
    "two GRPO phases of one iteration": (
        f"train: {{grpo-easy: {{{GRPO}}}, grpo-hard: {{{GRPO}}}}}",
        ["grpo-easy-1", "grpo-hard-1"],
    ),
    "two SFTs": (f"{CHAINS}\ntrain: {{warm-up: {{{SFT}}}, sft: {{{SFT}, start: previous}}}}", ["warm-up-1", "sft-1"]),
    "GRPO on the questions of the traces": (f"{CHAINS}\ntrain: {{grpo: {{trainer: GRPO, data: traces}}}}", ["grpo-1"]),
    "DPO on pairs": (f"{ALL_CHAINS}\ntrain: {{dpo: {{trainer: DPO}}}}", ["dpo-1"]),
    "a third party's trainer that reads pairs": (f"{ALL_CHAINS}\ntrain: {{pairs: {{trainer: PAIRS}}}}", ["pairs-1"]),
    "a phase taken away": (
        f"{CHAINS}\ntrain: {{sft: {{{SFT}}}, grpo: {{{GRPO}}}}}\niterations: [{{train: {{grpo: null}}}}, {{}}]",
        ["sft-1", "sft-2", "grpo-2"],
    ),
    "examples the policy neither always nor never gets right": (
        "train: {grpo: {trainer: GRPO, data: {source: SOURCE, filters: [{use: pass-rate, low: 0.0, high: 1.0}]}}}",
        ["grpo-1"],
    ),
    "SFT on ready traces, without a teacher": (f"train: {{sft: {{{SFT}, data: {{source: SOURCE}}}}}}", ["sft-1"]),
    "traces only": (CHAINS, []),
    "bench only": ("", []),
}


@dataclass
class Loop:
    """Runs commands on one recipe in a home; what a command raises is raised, and it `said` the rest.

    Its home is in its folder, if it shares none.
    """

    folder: Path
    plugins: list[Path]
    home: Path | None = None
    said: str = ""

    def openvlt(self, *words: str) -> str:
        options = [word for plugin in self.plugins for word in ("--plugin", str(plugin))]
        runner = CliRunner(env={"OPENVLT_HOME": str(self.home or self.folder / "home"), "COLUMNS": "200"})
        result = runner.invoke(cli, [*options, *words])
        if result.exception is not None:
            raise result.exception
        self.said = result.stderr
        return result.stdout

    def train(self, *words: str) -> str:
        return self.openvlt("train", str(self.folder / "any.yaml"), *words)

    def plan(self, *words: str) -> list[str]:
        table, *_ = self.train("--plan", *words).split("\n\n")
        heading, *lines = table.splitlines()
        assert heading.startswith("stage ")
        return [line.split()[0] for line in lines]

    def run(self) -> dict[str, Any]:
        (run,) = json.loads(self.openvlt("runs", "--json"))
        return dict(run)


@pytest.fixture
def write(tmp_path: Path, fake_plugin: Path, fake_model: Path) -> Callable[[str], Loop]:
    """Write a recipe of made sums around a shape; its trainers copy the model, so that no second is lost."""
    words = {
        "SOURCE": "{use: made, n: 20}", "TEACHER": f"{{use: tutor, k: 4, model: {{id: {fake_model}, backend: fake}}}}",
        "SFT": "{use: copy-sft, steps: 2}", "GRPO": "{use: copy-grpo, steps: 2}", "DPO": "count-pairs", "PAIRS": "count-pairs",
    }  # fmt: skip

    def writer(shape: str) -> Loop:
        for word, meaning in words.items():
            shape = shape.replace(word, meaning)
        head = f"name: any\nbase: {{id: {fake_model}, backend: fake}}\nrewards: {{answer: 1.0}}\nbench: made\n"
        captioner = "captioner: {use: qwen-vl, model: {id: base}, prompt: Describe the image.}\n"
        (tmp_path / "any.yaml").write_text(f"{head}{captioner}{shape}\n")
        return Loop(tmp_path, [fake_plugin, PAIRS])

    return writer


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_recipe_plans_is_what_it_runs(write: Callable[[str], Loop], shape: str) -> None:
    text, models = SHAPES[shape]
    loop = write(text)
    planned = loop.plan()
    table = loop.train()
    run = loop.run()
    assert planned == [stage["name"] for stage in run["stages"]]
    assert [score["stage"] for score in run["scores"]] == ["blind", "base", *models]
    assert all(f"score-made-{model}" in planned for model in ("base", *models))
    assert ("filter-grpo-1" in planned) == ("pass-rate" in text)
    assert all(model in table for model in ("base", *models))
    assert bool(run["model"]) == bool(models)
    assert loop.plan() == planned, "what is done already is planned like the rest"


TOO_LITTLE = {
    "traces": (f"{CHAINS}\ntrain: {{sft: {{trainer: {{use: copy-sft, batch: 60}}}}}}", "sft-1", "fewer than one batch (60)"),
    "pairs": (f"{ALL_CHAINS}\ntrain: {{dpo: {{trainer: PAIRS, min_rows: 40}}}}", "dpo-1", "fewer than the 40 of min_rows"),
    "prompts": (
        "train: {grpo: {trainer: {use: copy-grpo, batch: 20}, data: {source: SOURCE, filters: [{use: pass-rate, low: 0.1}]}}}",
        "grpo-1", "fewer than one batch (20)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reads", TOO_LITTLE)
def test_too_little_to_train_on_stops_the_run_until_the_recipe_allows_it(
    write: Callable[[str], Loop], reads: str
) -> None:
    text, stage, floor = TOO_LITTLE[reads]
    loop = write(text)
    loop.plan()
    assert "cannot be carried out" not in loop.said, "how little is left is known afterwards"
    with pytest.raises(DataError) as error:
        loop.train()
    told = re.fullmatch(
        rf"Stage {stage} has (\d+) {reads} to learn from, {re.escape(floor)}\. .*, or train on fewer "
        rf"\((--set train\.{stage[:-2]}\.min_rows=\1)\)\.", str(error.value),
    )  # fmt: skip
    assert told, str(error.value)
    stopped = loop.run()
    assert stopped["status"] == "failed"
    loop.plan()
    assert f"cannot be carried out here: {error.value}" in loop.said, "all that it learns from is there"
    loop.train(*told[2].split())
    resumed = json.loads(loop.openvlt("runs", "--json"))[0]
    trained = next(each for each in resumed["stages"] if each["name"] == stage)
    assert (resumed["status"], trained["in"]) == ("done", int(told[1]))
    before = [each["name"] for each in stopped["stages"]]
    assert [each["name"] for each in resumed["stages"] if each["cached"]] == before, "nothing is lost"


@pytest.mark.parametrize(("batch", "warned"), [(10, False), (11, True)])
def test_fewer_than_two_batches_are_warned_of(write: Callable[[str], Loop], batch: int, warned: bool) -> None:
    loop = write(f"train: {{grpo: {{trainer: {{use: copy-grpo, batch: {batch}}}, data: {{source: SOURCE}}}}}}")
    loop.train()
    assert ("Warning: grpo-1 learns from 20 prompts, fewer than two batches of 11." in loop.said) == warned
    assert re.search(r"^grpo-1 +20 +1 model ", loop.openvlt("runs", "show", "any"), re.MULTILINE)


REFUSED = {
    "prompts without data": (
        "train: {grpo: {trainer: GRPO}}",
        "the trainer 'copy-grpo' reads prompts, and the phase has no data. Add data: {source: ...}",
    ),
    "traces without traces": (
        "train: {sft: {trainer: SFT}}",
        "the trainer 'copy-sft' reads traces, and the iteration has no traces. Add traces to the iteration.",
    ),
    "a data block for a trainer that reads pairs": (
        f"{CHAINS}\ntrain: {{dpo: {{trainer: PAIRS, data: {{source: SOURCE}}}}}}",
        "reads pairs, and a data block has none.",
    ),
    "pairs of correct traces alone": (
        f"{CHAINS}\ntrain: {{dpo: {{trainer: PAIRS}}}}",
        "reads pairs of a correct and an incorrect trace, and the filter 'correct' keeps no incorrect one.",
    ),
    "pairs of single traces": (
        f"{ALL_CHAINS}\ntrain: {{dpo: {{trainer: PAIRS}}}}".replace("TEACHER", "{use: tutor, k: 1, model: {id: base}}"),
        "the teacher gives one trace of a question. Set the teacher's option k to 2 or more.",
    ),
    "fewer examples than a batch": (
        f"{CHAINS}\ntrain: {{grpo: {{trainer: {{use: grpo, prompts: 128}}, data: traces}}}}",
        "Stage grpo-1 has 20 prompts to learn from, fewer than one batch (128). Load more examples",
    ),
    "a verifier that the recipe has not": (
        CHAINS.replace("correct", "{use: correct, verifier: anwser}"),
        "the filter 'correct' needs the verdicts of 'anwser', which is no verifier of the recipe. Did you mean 'answer'?",
    ),
    "a start at an endpoint": (
        f"train: {{grpo: {{{GRPO}, start: {{id: some, url: ['http://localhost:1/v1']}}}}}}",
        "The phase grpo-1 starts from a model at an endpoint, which cannot be trained. Set train.grpo.start to a folder",
    ),
    "no rewards": (
        f"train: {{grpo: {{{GRPO}, rewards: {{}}}}}}",
        "the trainer 'copy-grpo' needs rewards, and the recipe has none.",
    ),
    "a name a stage has already": (
        f"{CHAINS}\ntrain: {{load: {{{SFT}}}}}",
        "has two stages named load-1. Give the phase another name",
    ),
    "a model that is not there": (
        f"train: {{grpo: {{{GRPO}, start: /no/such/model}}}}",
        "The phase grpo-1 runs '/no/such/model', which is neither a folder nor the id of a model on the hub.",
    ),
    "a split that is not there": (
        "train: {grpo: {trainer: GRPO, data: {source: SOURCE, split: tests}}}",
        "The source made has no split 'tests'. Did you mean 'test'?",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_phase_that_cannot_run_is_refused_before_any_work(write: Callable[[str], Loop], mistake: str) -> None:
    text, message = REFUSED[mistake]
    loop = write(text)
    with pytest.raises(UsageError) as error:
        loop.train()
    assert message in str(error.value)
    assert not list((loop.folder / "home" / "stages").glob("*"))
    assert json.loads(loop.openvlt("runs", "--json")) == []


def test_a_wrong_option_names_the_setting_it_is_from(write: Callable[[str], Loop]) -> None:
    loop = write(f"{CHAINS}\ntrain: {{sft: {{{SFT}}}}}")
    with pytest.raises(UsageError, match=r"--set train.sft.stepz=3: .* has no option 'stepz'"):
        loop.plan("--set", "train.sft.stepz=3")


@pytest.mark.parametrize(
    ("select", "phase", "chosen", "warned"),
    [
        ("", "sft: {trainer: SFT}", "correct", False),
        (", select: []", "sft: {trainer: SFT}", "", True),
        (", select: [{use: per-question, count: 1}]", "sft: {trainer: SFT}", "per-question", True),
        ("", "dpo: {trainer: DPO}", "", False),
    ],
)
def test_only_correct_traces_are_imitated_unless_the_recipe_says_so(
    write: Callable[[str], Loop], select: str, phase: str, chosen: str, warned: bool
) -> None:
    loop = write(f"traces: {{data: {{source: SOURCE}}, teacher: TEACHER{select}}}\ntrain: {{{phase}}}")
    (line,) = [line for line in loop.train("--plan").splitlines() if line.startswith("select-1")]
    assert line.split()[1 : 2 if chosen else 1] == [chosen][: bool(chosen)]
    loop.train()
    assert ("imitates incorrect traces too" in loop.said) == warned


def test_a_selection_without_pairs_ends_the_stage_with_a_reason(write: Callable[[str], Loop]) -> None:
    loop = write(f"{ALL_CHAINS}\ntrain: {{dpo: {{trainer: PAIRS}}}}")
    always_right = loop.folder / "always-right"
    always_right.mkdir()
    (always_right / "skill.json").write_text('{"skill": 1.0}')
    with pytest.raises(OpenvltError, match="Stage dpo-1 has no pairs to learn from"):
        loop.train("--set", f"traces.teacher.model.id={always_right}")
    assert loop.run()["status"] == "failed"
    assert [line.split() for line in loop.openvlt("runs", "show", "any").splitlines() if "to do" in line] == [
        [name, "to", "do"] for name in ("dpo-1", "bench-made-dpo-1", "score-made-dpo-1")
    ]


@pytest.mark.parametrize(("teacher", "skill"), [("base", 0.5), ("policy", 0.7)])
def test_a_trainer_is_given_the_folder_of_every_model_it_names(
    write: Callable[[str], Loop], teacher: str, skill: float
) -> None:
    loop = write(f"{CHAINS}\ntrain: {{sft: {{{SFT}}}, imitation: {{trainer: {{use: imitate, teacher: {teacher}}}}}}}")
    loop.train()
    model = Path(loop.run()["model"])
    assert json.loads((model / "skill.json").read_text()) == {"skill": skill}


def test_a_trainer_whose_model_has_changed_trains_again(write: Callable[[str], Loop], fake_model: Path) -> None:
    copy = fake_model.parent / "teacher"
    copy.mkdir()
    (copy / "config.json").write_text('{"size": 1}')
    (copy / "skill.json").write_text('{"skill": 0.6}')
    loop = write(f"{CHAINS}\ntrain: {{imitation: {{trainer: {{use: imitate, teacher: {copy}}}}}}}")
    loop.train()
    assert [stage["name"] for stage in loop.run()["stages"] if stage["cached"]] == []
    loop.train()
    assert all(stage["cached"] for stage in loop.run()["stages"])
    (copy / "config.json").write_text('{"size": 2}')
    loop.train()
    changed = [stage["name"] for stage in loop.run()["stages"] if not stage["cached"]]
    assert changed[0] == "imitation-1"


@pytest.mark.parametrize(("teacher", "trained"), [("TEACHER", False), ("policy", True)])
def test_distill_carries_out_what_its_traces_need_and_no_more(
    write: Callable[[str], Loop], teacher: str, trained: bool
) -> None:
    loop = write(
        f"iterations:\n  - train: {{grpo: {{{GRPO}}}}}\n  - traces: {{data: {{source: SOURCE}}, teacher: {teacher}}}"
    )
    loop.openvlt("distill", str(loop.folder / "any.yaml"))
    names = [stage["name"] for stage in loop.run()["stages"]]
    assert names[-1] == "select-2"
    assert ("grpo-1" in names) == trained
    assert not any(name.startswith("score") for name in names)


RATED = "{source: {use: made, n: 12}, filters: [{use: pass-rate, low: 0.0, high: 1.0}]}"


def test_distill_until_verify_writes_the_traces_and_not_the_samples_of_a_filter(write: Callable[[str], Loop]) -> None:
    loop = write(f"traces: {{data: {RATED}, teacher: TEACHER}}")
    loop.openvlt("distill", str(loop.folder / "any.yaml"), "--until", "verify", "--out", str(loop.folder / "data"))
    stages = {stage["name"]: stage["out"] for stage in loop.run()["stages"]}
    assert list(stages)[-4:] == ["filter-1", "caption-1", "distill-1", "verify-1"]
    assert f"| made | {stages['verify-1']} |" in (loop.folder / "data" / "README.md").read_text()


def test_without_traces_there_is_nothing_to_distill(write: Callable[[str], Loop]) -> None:
    loop = write(f"train: {{grpo: {{trainer: GRPO, data: {RATED}}}}}")
    with pytest.raises(UsageError, match="The recipe any has no traces"):
        loop.openvlt("distill", str(loop.folder / "any.yaml"), "--until", "verify")


def test_the_card_names_the_source_of_the_traces_and_the_phase_that_trained_the_teacher(
    write: Callable[[str], Loop], tmp_path: Path
) -> None:
    (tmp_path / "other.jsonl").write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    other = f"{{source: {{use: rows, path: {tmp_path}/other.jsonl}}}}"
    loop = write(
        f"iterations:\n  - train: {{grpo: {{trainer: GRPO, data: {other}}}}}\n"
        f"  - traces: {{data: {RATED}, teacher: policy}}"
    )
    loop.openvlt("distill", str(loop.folder / "any.yaml"), "--out", str(tmp_path / "data"))
    sources, models, components = (tmp_path / "data" / "README.md").read_text().split("\n## ")[1:4]
    assert "| made |" in sources and "rows" not in sources + components
    assert "| teacher | the model that grpo-1 trained, content " in models
    assert "pass-rate" in components


def test_the_questions_of_a_run_without_traces_can_be_exported(write: Callable[[str], Loop]) -> None:
    loop = write(f"train: {{grpo: {{trainer: GRPO, data: {RATED}}}}}")
    loop.train()
    (kept,) = [stage["out"] for stage in loop.run()["stages"] if stage["name"] == "filter-grpo-1"]
    assert f"rows    {kept}\n" in loop.openvlt("export", "any", "--as", "easyr1", "--out", str(loop.folder / "out"))
    with pytest.raises(UsageError, match="The run 'any' has no stage to export as sharegpt"):
        loop.openvlt("export", "any", "--as", "sharegpt", "--out", str(loop.folder / "other"))


def test_questions_without_rewards_are_exported_with_a_note(write: Callable[[str], Loop]) -> None:
    loop = write("train: {sft: {trainer: SFT, data: {source: SOURCE}}}")
    recipe = loop.folder / "any.yaml"
    recipe.write_text(recipe.read_text().replace("rewards: {answer: 1.0}\n", ""))
    loop.train()
    loop.openvlt("export", "any", "--as", "verl", "--out", str(loop.folder / "out"))
    assert "there is no reward.py" in loop.said
    assert [path.name for path in (loop.folder / "out").iterdir()] == ["data"]


def test_the_questions_of_benchmarks_are_exported_only_by_name(write: Callable[[str], Loop]) -> None:
    loop = write("")
    loop.train()
    with pytest.raises(UsageError, match="The run 'any' has no stage to export as verl"):
        loop.openvlt("export", "any", "--as", "verl", "--out", str(loop.folder / "out"))


def test_bench_runs_the_model_of_a_phase_as_its_own_run_does(write: Callable[[str], Loop], fake_model: Path) -> None:
    other = fake_model.parent / "other"
    shutil.copytree(fake_model, other)
    loop = write(f"train: {{grpo: {{{GRPO}, start: {{id: {other}, backend: fake, context: 99}}}}}}")
    loop.train("--name", "first")
    loop.train("--name", "second", "--set", "train.grpo.start.context=88")
    second, first = json.loads(loop.openvlt("runs", "--json"))
    assert next(stage["cached"] for stage in second["stages"] if stage["name"] == "grpo-1")
    for run, context in ((first, 99), (second, 88)):
        told = run["scores"][-1]
        again = json.loads(loop.openvlt("bench", "made", "--model", f"run:{run['name']}/grpo-1", "--json"))
        assert told["protocol"]["model"]["context"] == context
        assert again["protocol"] == told["protocol"] and again["scores"] == told["scores"]


@pytest.mark.parametrize("setting", ["dtype=bfloat16", "pixels=[64, 128]"])
def test_a_phase_with_other_weights_or_pixels_trains_again(write: Callable[[str], Loop], setting: str) -> None:
    loop = write(f"train: {{grpo: {{{GRPO}}}}}")
    loop.train()
    loop.train("--name", "other", "--set", f"base.{setting}")
    other, _ = json.loads(loop.openvlt("runs", "--json"))
    assert not any(stage["cached"] for stage in other["stages"] if stage["stage_kind"] == "train")


def test_a_phase_may_start_from_the_model_of_another_run(write: Callable[[str], Loop]) -> None:
    loop = write(f"train: {{grpo: {{{GRPO}}}}}")
    loop.train("--name", "first")
    loop.train("--name", "second", "--set", "train.grpo.start=run:first/grpo-1", "--set", "train.grpo.seconds=0.001")
    second, first = json.loads(loop.openvlt("runs", "--json"))
    trained = {run["name"]: [stage for stage in run["stages"] if stage["name"] == "grpo-1"] for run in (first, second)}
    assert trained["first"][0]["fingerprint"] != trained["second"][0]["fingerprint"]
    with pytest.raises(UsageError, match=r"has no model 'grpo-2'\. Did you mean 'grpo-1'\?"):
        loop.train("--set", "train.grpo.start=run:first/grpo-2")


FILTERED = "train: {grpo: {trainer: GRPO, data: {source: {use: made, n: 40}, limit: LIMIT, filters: [FILTER]}}}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("facts", "fact", "limit"),
    [
        ("", "{use: pass-rate, low: 0.0, high: 1.0}", "null"),
        ("", "{use: pass-rate, low: 0.0, high: 1.0}", "3"),
        ("", "{use: pass-rate, low: 0.0, high: 1.0, fact: text_only_pass_rate}", "3"),
        (
            "facts: {mine: {use: pass_rate, teacher: {use: policy, k: 2, model: {id: base}}}}",
            "{use: pass-rate, low: 0.0, high: 1.0, fact: mine}",
            "3",
        ),
    ],
)
def test_a_filter_gets_the_facts_it_needs_of_as_many_examples_as_it_takes(
    write: Callable[[str], Loop], facts: str, fact: str, limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENVLT_FAKE", json.dumps({"log": str(tmp_path / "asked.jsonl")}))
    loop = write(facts + "\n" + FILTERED.replace("LIMIT", limit).replace("FILTER", fact))
    loop.train()
    (stage,) = [stage for stage in loop.run()["stages"] if stage["name"] == "filter-grpo-1"]
    name = "mine" if "mine" in fact else "text_only_pass_rate" if "text_only" in fact else "pass_rate"
    assert stage["counts"][f"with {name}"] == (40 if limit == "null" else 32)
    assert stage["out"] == (40 if limit == "null" else 3)
    asked = [json.loads(line) for line in (tmp_path / "asked.jsonl").read_text().splitlines()]
    sampled = [each for each in asked if each["temperature"] == 1.0]
    assert len(sampled) == (40 if limit == "null" else 32) * (2 if name == "mine" else 4)
    assert {each["images"] for each in sampled} == {0 if name == "text_only_pass_rate" else 1}


@pytest.mark.parametrize(
    ("facts", "fact", "said"),
    [
        ("", "pas_rate", "the filter 'pass-rate' needs the fact 'pas_rate', which neither the recipe names nor a plugin registers. Did you mean 'pass_rate'?"),
        ("facts: {solved: pass_rate}", "solve", "needs the fact 'solve', which neither the recipe names nor a plugin registers. Did you mean 'solved'?"),
        ("facts: {solved: pas_rate}", "solved", "There is no fact 'pas_rate'. Did you mean 'pass_rate'?"),
        ("facts: {solved: {use: pass_rate, teacher: tutr}}", "solved", "There is no teacher 'tutr'."),
        ("facts: {solved: {use: pass_rate, teacher: {use: tutor, model: base}}}", "solved", "which reads captions, and a fact has none."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["train", "plan"])
def test_a_fact_that_cannot_be_told_is_refused_before_any_work(
    write: Callable[[str], Loop], facts: str, fact: str, said: str, command: str
) -> None:
    loop = write(facts + "\n" + FILTERED.replace("LIMIT", "3").replace("FILTER", f"{{use: pass-rate, fact: {fact}}}"))
    with pytest.raises(OpenvltError) as error:
        loop.train() if command == "train" else loop.plan()
    assert said in str(error.value) and "any.yaml:" in str(error.value)
