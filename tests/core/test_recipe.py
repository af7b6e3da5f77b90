"""Recipes: what they may say, how they are overridden, and what is said of every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openvlt.errors import OpenvltError, PluginError, UsageError
from openvlt.pipeline import compile_recipe
from openvlt.recipe import Recipe, find_recipes, read_recipe
from openvlt.registry import Registry

TEXT = """\
name: small
base: tiny
traces:
  data:
    source: {use: made, n: 30}
    limit: 20
  teacher:
    use: tutor
    model: {id: tiny, backend: fake}
  select:
    - correct
    - {use: per-question, count: 2}
train:
  sft:
    trainer: {use: copy-sft, steps: 3}
  grpo:
    data:
      source: made
    trainer: {use: copy-grpo}
rewards: {answer: 1.0, format: 0.1}
iterations:
  - {}
  - traces:
      teacher: policy
      data: {limit: 10}
bench: made
captioner: qwen-vl
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(TEXT)
    return file


def read(path: Path, *settings: str, **options: Any) -> Recipe:
    return read_recipe(str(path), options.pop("overrides", {}), settings, **options)


def error_of(path: Path, text: str = TEXT, *settings: str, **options: Any) -> str:
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        read(path, *settings, **options)
    return str(error.value).replace(str(path), "small.yaml")


def test_what_stands_at_the_top_holds_for_every_iteration(path: Path) -> None:
    recipe = read(path)
    first, second = recipe.iterations
    assert recipe.base.id == "tiny"
    assert first.traces and second.traces
    assert (first.traces.data.limit, second.traces.data.limit) == (20, 10)
    assert first.traces.data.source == second.traces.data.source == {"use": "made", "n": 30}
    assert first.traces.teacher["use"] == "tutor"
    assert second.traces.teacher == {"use": "policy"}
    assert [spec["use"] for spec in second.traces.select] == ["correct", "per-question"]
    assert [list(each.train) for each in recipe.iterations] == [["sft", "grpo"]] * 2
    assert list(recipe.verifier_specs()) == ["answer", "format"]
    assert recipe.bench == [{"use": "made"}]


def test_one_item_may_be_written_without_its_list(path: Path) -> None:
    text = TEXT.replace("base: tiny", "base: {id: tiny, url: 'http://x'}").replace("limit: 20", "filters: pass-rate")
    start = text.index("  select:")
    path.write_text(text[:start] + "  select: correct\n" + text[text.index("train:") :])
    recipe = read(path)
    assert recipe.base.url == ("http://x",)
    assert recipe.iterations[0].traces.select == [{"use": "correct"}]
    assert recipe.iterations[0].traces.data.filters == [{"use": "pass-rate"}]


def test_every_recipe_that_comes_with_openvlt_reads() -> None:
    found = find_recipes()
    assert "quickstart" in found
    for name in found:
        assert read_recipe(name).name == name


@pytest.mark.parametrize(
    ("count", "teachers"), [(1, ["tutor"]), (2, ["tutor", "policy"]), (4, ["tutor"] + ["policy"] * 3)]
)
def test_more_iterations_repeat_the_last(path: Path, count: int, teachers: list[str]) -> None:
    assert [each.traces.teacher["use"] for each in read(path, iterations=count).iterations] == teachers


def test_iterations_may_be_a_number(path: Path) -> None:
    path.write_text(TEXT.partition("iterations:")[0] + "iterations: 3\n")
    assert len(read(path).iterations) == 3


@pytest.mark.parametrize(
    ("setting", "look", "value"),
    [
        ("seed=7", lambda r: r.seed, 7),
        ("traces.data.limit=3", lambda r: r.iterations[0].traces.data.limit, 3),
        ("iterations.0.traces.data.limit=3", lambda r: [each.traces.data.limit for each in r.iterations], [3, 10]),
        ("traces.data.limit=null", lambda r: r.iterations[0].traces.data.limit, None),
        ("traces.data.source.n=8", lambda r: r.iterations[1].traces.data.source["n"], 8),
        ("train.grpo.data.source.n=8", lambda r: r.iterations[0].train["grpo"].data.source, {"use": "made", "n": 8}),
        ("train.grpo.data=traces", lambda r: r.iterations[0].train["grpo"].data, "traces"),
        ("train.grpo=null", lambda r: [list(each.train) for each in r.iterations], [["sft"], ["sft"]]),
        ("train.sft.start=previous", lambda r: r.iterations[0].train["sft"].start.id, "previous"),
        ("iterations.1.traces=null", lambda r: [bool(each.traces) for each in r.iterations], [True, False]),
        (
            "traces.select.0.verifier=answer",
            lambda r: r.iterations[0].traces.select[0],
            {"use": "correct", "verifier": "answer"},
        ),
        ("traces.select.1=shortest", lambda r: r.iterations[0].traces.select[1], {"use": "shortest"}),
        ("traces.select=[]", lambda r: r.iterations[0].traces.select, []),
        ("train.sft.freeze=[vision]", lambda r: r.iterations[0].train["sft"].trainer["freeze"], ["vision"]),
        ("train.sft.trainer.freeze=[vision]", lambda r: r.iterations[1].train["sft"].trainer["freeze"], ["vision"]),
        (
            "iterations.1.train.sft.steps=7",
            lambda r: [each.train["sft"].trainer["steps"] for each in r.iterations],
            [3, 7],
        ),
        ("rewards.format=0.5", lambda r: r.rewards, {"answer": 1.0, "format": 0.5}),
        ("base.dtype=float32", lambda r: (r.base.id, r.base.dtype), ("tiny", "float32")),
        ("base=another", lambda r: r.base.id, "another"),
        ("format.suffix='=?'", lambda r: r.format.suffix, "=?"),
        ("iterations=1", lambda r: [each.traces.teacher["use"] for each in r.iterations], ["tutor"]),
        ("iterations=3", lambda r: [each.traces.data.limit for each in r.iterations], [20, 10, 10]),
        ("iterations=[{train: {grpo: null}}]", lambda r: [list(each.train) for each in r.iterations], [["sft"]]),
        ("traces.data.limit=7", lambda r: [each.traces.data.limit for each in r.iterations], [7, 7]),
        ("traces.teacher.k=7", lambda r: [each.traces.teacher["k"] for each in r.iterations], [7, 7]),
        ("bench.0.n=5", lambda r: r.bench, [{"use": "made", "n": 5}]),
    ],
)
def test_any_key_can_be_set(path: Path, setting: str, look: Any, value: object) -> None:
    assert look(read(path, setting)) == value


def test_what_an_alias_repeats_can_be_set_alone(path: Path) -> None:
    recipe = read_recipe("openvlthinker-v1.0", settings=["iterations.1.traces.teacher.k=99"])
    assert [each.traces.teacher["k"] for each in recipe.iterations if each.traces] == [4, 99, 4]


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ("{use: copy-grpo, steps: 7}", "copy-grpo", {"use": "copy-grpo", "steps": 7}),
        ("{use: copy-grpo, steps: 7}", "copy-sft", {"use": "copy-sft"}),
        ("copy-grpo", "{steps: 3}", {"use": "copy-grpo", "steps": 3}),
        ("copy-grpo", "{use: copy-sft, steps: 3}", {"use": "copy-sft", "steps": 3}),
        ("{use: a, model: {id: b, context: 9}}", "{model: {id: c}}", {"use": "a", "model": {"id": "c"}}),
        ("{use: a, model: {id: b, context: 9}}", "{model: b}", {"use": "a", "model": {"id": "b", "context": 9}}),
        ("{use: a, prompt: b}", "{prompt: c}", {"use": "a", "prompt": "c"}),
        ("{use: a, quotas: {b: 1}}", "{quotas: all}", {"use": "a", "quotas": "all"}),
    ],
)
def test_a_component_is_overlaid_in_short_and_long_form(
    path: Path, below: str, above: str, expected: dict[str, Any]
) -> None:
    path.write_text(
        f"name: x\nbase: tiny\ntrain: {{p: {{trainer: {below}}}}}\niterations: [{{train: {{p: {{trainer: {above}}}}}}}]\n"
    )
    assert read(path).iterations[0].train["p"].trainer == expected


@pytest.mark.parametrize(
    ("written", "order"),
    [
        (["b"], ["a", "b", "c"]),
        (["b", "a"], ["b", "a", "c"]),
        (["c", "a"], ["c", "b", "a"]),
        (["new", "b"], ["a", "new", "b", "c"]),
        (["b", "new"], ["a", "b", "c", "new"]),
        (["new", "a", "b", "c"], ["new", "a", "b", "c"]),
        (["new"], ["a", "b", "c", "new"]),
    ],
)
def test_phases_are_in_the_order_in_which_the_iteration_writes_them(
    path: Path, written: list[str], order: list[str]
) -> None:
    shared = ", ".join(f"{name}: {{trainer: t}}" for name in "abc")
    own = ", ".join(f"{name}: {{trainer: t}}" for name in written)
    path.write_text(f"name: x\nbase: tiny\ntrain: {{{shared}}}\niterations: [{{train: {{{own}}}}}]\n")
    assert list(read(path).iterations[0].train) == order


DIFFERENT = """\
name: different
base: tiny
rewards: {answer: 1.0}
iterations:
  - traces: {data: {source: made}, teacher: tutor}
    train: {sft: {trainer: copy-sft}}
  - train: {grpo: {data: {source: made}, trainer: {use: copy-grpo, steps: 5}}}
"""


def test_a_setting_is_for_the_iterations_that_have_the_block(path: Path) -> None:
    path.write_text(DIFFERENT)
    first, second = read(path, "traces.data.limit=5", "train.sft.steps=3", "train.grpo.steps=4").iterations
    assert first.traces and first.traces.data.limit == 5
    assert second.traces is None
    assert {name: phase.trainer for name, phase in first.train.items()} == {"sft": {"use": "copy-sft", "steps": 3}}
    assert {name: phase.trainer for name, phase in second.train.items()} == {"grpo": {"use": "copy-grpo", "steps": 4}}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.gpro.steps=3", "--set train.gpro.steps=3: no iteration has a phase 'gpro'. Did you mean 'grpo'?"),
        ("iterations.2.traces.teacher=x", "--set iterations.2.traces.teacher=x: '2' must be a number below 2."),
        ("iterations.1.traces.data.limit=5", "--set iterations.1.traces.data.limit=5: the key 'iterations.1.traces.data.source' is missing."),
    ],
)  # fmt: skip
def test_a_setting_that_no_iteration_can_take_is_refused(path: Path, setting: str, message: str) -> None:
    assert message in error_of(path, DIFFERENT, setting)


def test_a_setting_of_a_recipe_without_iterations_is_refused(path: Path) -> None:
    text = "name: scored\nbase: tiny\n"
    assert "no iteration has 'traces'. Add 'traces' to the recipe." in error_of(path, text, "traces.teacher=policy")
    assert "there is no '0', the list is empty." in error_of(path, text, "iterations.0.traces.teacher=policy")
    assert "2 iterations are asked for: the recipe has none." in error_of(path, text, "iterations=2")


@pytest.mark.parametrize("iterations", ["", "iterations: 2\n"])
def test_one_of_a_number_of_iterations_can_be_set(path: Path, iterations: str) -> None:
    path.write_text(TEXT.partition("iterations:")[0] + iterations)
    assert read(path, "iterations.0.traces.data.limit=3").iterations[0].traces.data.limit == 3


def test_a_setting_wins_in_every_iteration_of_a_shipped_recipe() -> None:
    recipe = read_recipe("openvlthinker-v1.0", settings=["traces.teacher.k=77", "train.grpo.steps=3"])
    assert [each.traces.teacher["k"] for each in recipe.iterations if each.traces] == [77] * 3
    assert [each.train["grpo"].trainer["steps"] for each in recipe.iterations] == [3] * 3


@pytest.mark.parametrize("value", ["0", "-1", "true", "null", "2.0", "many", "{a: 1}"])
def test_iterations_are_a_list_or_a_number_of_at_least_one(path: Path, value: str) -> None:
    expected = "Write a list of iterations, or their number, at least 1."
    assert expected in error_of(path, TEXT.partition("iterations:")[0] + f"iterations: {value}\n")
    assert f"--set iterations={value}: iterations is " in error_of(path, TEXT, f"iterations={value}")


def test_an_override_replaces_a_whole_block(path: Path) -> None:
    recipe = read(path, overrides={"teacher": {"use": "r1-distill"}, "source": {"use": "easy-vqa"}})
    first, second = recipe.iterations
    assert first.traces and second.traces
    assert first.traces.teacher == {"use": "r1-distill"}
    assert second.traces.teacher == {"use": "policy"}
    assert first.traces.data.source == {"use": "easy-vqa"}
    assert first.traces.data.limit == 20


MISTAKES = [
    ("seed: 1\n" + TEXT, "sede: 1\n" + TEXT, "small.yaml:1: there is no key 'sede'. Did you mean 'seed'?"),
    ("limit: 20", "limt: 20", "small.yaml:6: there is no key 'iterations.0.traces.data.limt'. Did you mean 'limit'?"),
    ("{limit: 10}", "{limmit: 10}", "small.yaml:25: there is no key 'iterations.1.traces.data.limmit'. Did you mean 'limit'?"),
    ("  teacher:\n", "  teachr:\n", "small.yaml:7: there is no key 'iterations.0.traces.teachr'. Did you mean 'teacher'?"),
    ("limit: 20", "limit: many", "small.yaml:6: iterations.0.traces.data.limit is 'many'. It must be a whole number"),
    ("limit: 20", "limit: 0", "small.yaml:6: iterations.0.traces.data.limit is 0. It must be at least 1."),
    ("  - correct", "  - 3", "small.yaml:11: iterations.0.traces.select.0 is 3. "),
    ("use: per-question, ", "", "iterations.0.traces.select.1 is {'count': 2}. A component is a name, or a mapping"),
    ("base: tiny\n", "", "small.yaml: the key 'base' is missing. Add it"),
    ("      source: made\n", "      split: train\n", "the key 'iterations.0.train.grpo.data.source' is missing."),
    ("      source: made\n", "      sourc: made\n", "small.yaml:18: there is no key 'iterations.0.train.grpo.data.sourc'. Did you mean 'source'?"),
    ("    trainer: {use: copy-sft", "    trainr: {use: copy-sft", "small.yaml:15: there is no key 'iterations.0.train.sft.trainr'. Did you mean 'trainer'?"),
    ("  sft:\n", "  Sft_:\n", "small.yaml:14: 'Sft_' is no valid key. Name a phase by lower-case letters, digits and hyphens, a letter first."),
    ("  sft:\n", "  1:\n", "1 is no valid key. Name a phase by lower-case letters, digits and hyphens, a letter first."),
    ("{answer: 1.0", "{1: 1.0", "1 is no valid key. Keys are text: write it in quotes."),
    ("    trainer: {use: copy-sft, steps: 3}", "    {use: sft, epochs: 3}", "small.yaml:14: iterations.0.train.sft is {'use': 'sft', 'epochs': 3}. Write trainer: {use: sft, epochs: 3}."),
    ("    trainer: {use: copy-sft, steps: 3}", "    {trainer: sft, epochs: 3}", "iterations.0.train.sft is {'trainer': 'sft', 'epochs': 3}. Write trainer: {use: sft, epochs: 3}."),
    ("    trainer: {use: copy-sft, steps: 3}", "    {trainer: sft, dta: traces}", "there is no key 'iterations.0.train.sft.dta'. Did you mean 'data'?"),
    ("    trainer: {use: copy-sft, steps: 3}", "    {trainer: sft, data: trace}", "iterations.0.train.sft.data is 'trace'. Write the word traces, or a mapping; its keys are source, "),
    ("  data:\n    source: {use: made, n: 30}\n    limit: 20\n", "  data: made\n", "iterations.0.traces.data is 'made'. Write a mapping; its keys are source, split, limit, filters."),
    ("rewards: {answer: 1.0, format: 0.1}", "rewards: answer", "small.yaml:20: rewards is 'answer'. Write a mapping."),
    ("name: small", "name: small\nsft: {use: sft}", "small.yaml:2: the key 'sft' has moved. Write train: {sft: {trainer: {use: sft, ...}}}."),
    ("name: small", "name: small\nteacher: policy", "small.yaml:2: the key 'teacher' has moved. Write traces: {teacher: ...}."),
    ("  - {}\n", "  - {data: {limit: 3}}\n", "small.yaml:22: the key 'iterations.0.data' has moved. Write traces: {data: ...}."),
    ("answer: 1.0", "answer: much", "small.yaml:20: rewards.answer is 'much'. It must be a number"),
    ("answer: 1.0", "answer: .nan", "small.yaml:20: rewards.answer is nan. It must be a finite number."),
    ("answer: 1.0", "answer: -.inf", "small.yaml:20: rewards.answer is -inf. It must be a finite number."),
    ("{answer: 1.0, format: 0.1}", "{answer: 0}", "small.yaml:20: rewards is {'answer': 0}. At least one weight must differ from 0."),
    ("bench: made", "routes: {made: {answer: 0.0}}", "small.yaml:26: routes.made is {'answer': 0.0}. At least one weight"),
    ("    trainer: {use: copy-grpo}", "    trainer: copy-grpo\n    rewards: {answer: 0}", "small.yaml:20: iterations.0.train.grpo.rewards is {'answer': 0}. At least"),
    ("limit: 20", "limit: true", "small.yaml:6: iterations.0.traces.data.limit is True. It must be a whole number"),
    ("bench: made", "bench: made\nformat: {thinks: x}", "small.yaml:27: there is no key 'format.thinks'. Did you mean 'think'?"),
    ("base: tiny", "base: {id: tiny, dtyp: x}", "small.yaml:2: there is no key 'base.dtyp'. Did you mean 'dtype'?"),
    ("  grpo:\n", "  sft:\n", "small.yaml:16: the key 'train.sft' is also on line 14. Remove one of the two, or rename it."),
    ("bench: made", "bench: made\nname: b", "small.yaml:27: the key 'name' is also on line 1. "),
    ("bench: made", "bench: &a [*a]", "small.yaml:26: 'bench.0' contains itself. Write its value out."),
    ("name: small", "name: small\n<<: &a {x: {<<: *a}}", "small.yaml:2: '<<.x.<<' contains itself. "),
    ("name: small", "? [a]\n: 1\nname: small", "small.yaml:1: this is not YAML: "),
    ("name: small", "name: [small", "small.yaml:2: this is not YAML: "),
    ("name: small", "name:\tsmall: x", "small.yaml:1: this is not YAML: "),
    (TEXT, "", "small.yaml is not a recipe: it must be a mapping."),
    (TEXT, "- name: x", "small.yaml is not a recipe: it must be a mapping."),
    ("  - {}\n", "  - 5\n", "small.yaml:22: iterations.0 is 5. Write a mapping; its keys are traces, train."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=[message for _, _, message in MISTAKES])
def test_a_mistake_names_file_line_and_key(path: Path, old: str, new: str, message: str) -> None:
    text = TEXT.replace(old, new, 1) if old in TEXT else new
    assert text != TEXT
    assert message in error_of(path, text)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed", "--set seed has no value. Write --set a.b=c"),
        ("=3", "--set =3 has no value."),
        ("seed=[1", "--set seed=[1: the value is not YAML."),
        ("bench={n: 1, n: 2}", "--set bench={n: 1, n: 2}:1: the key 'n' is also on line 1."),
        ("seed=2026-13-01", "--set seed=2026-13-01: a value cannot be read: month must be in 1..12."),
        ("bench=&a [*a]", "'0' contains itself."),
        ("seed=x", "--set seed=x: seed is 'x'. It must be a whole number"),
        (
            "traces.data.limt=3",
            "--set traces.data.limt=3: there is no key 'iterations.0.traces.data.limt'. Did you mean 'limit'?",
        ),
        ("executor={cpu: 1}", "there is no key 'executor.cpu'. Did you mean 'cpus'?"),
        ("sed=3", "--set sed=3: there is no key 'sed'. Did you mean 'seed'?"),
        ("seed.x=3", "--set seed.x=3: 'seed' is a value and has no keys."),
        ("traces.select.7.use=x", "--set traces.select.7.use=x: '7' must be a number below 2."),
        ("iterations.one={}", "--set iterations.one={}: 'one' must be a number below 2."),
    ],
)
def test_a_mistake_in_a_setting_names_the_setting(path: Path, setting: str, message: str) -> None:
    assert message in error_of(path, TEXT.replace("name: small", "name: small\nseed: 1"), setting)


def test_a_mistake_in_a_switch_names_the_switch(path: Path) -> None:
    recipe = read_recipe(str(path), {"teacher": {"use": "r1distil"}, "source": {"use": "easyvqa"}})
    assert recipe.position("iterations.0.traces.teacher").startswith("--teacher r1distil: ")
    assert recipe.position("iterations.0.traces.data.source").startswith("--source easyvqa: ")
    assert str(path) in recipe.position("base"), "what no switch replaced is in the file"


def test_unknown_recipes_offer_the_closest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no recipe 'quikstart'. Did you mean 'quickstart'\?"):
        read_recipe("quikstart")
    with pytest.raises(UsageError, match=r"recipe file .*none.yaml does not exist. Recipes by name: .*quickstart"):
        read_recipe(str(tmp_path / "none.yaml"))


def test_a_file_that_is_not_text_is_named(path: Path) -> None:
    path.write_bytes(b"name: \xff\xfe\x00")
    with pytest.raises(UsageError, match=r"small.yaml.* is not "):
        read(path)


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        ("use: tutor", "use: tutr", PluginError, "small.yaml:7: iterations.0.traces.teacher: There is no teacher 'tutr'. Did you mean 'tutor'?"),
        ("n: 30", "m: 30", UsageError, "small.yaml:5: iterations.0.traces.data.source.m: The source 'made' has no option 'm'. Choose one of: faults, n, per_image."),
        ("steps: 3", "stps: 3", UsageError, "small.yaml:15: iterations.0.train.sft.trainer.stps: The trainer 'copy-sft' has no option 'stps'. Did you mean 'steps'?"),
        ("count: 2", "count: few", UsageError, "small.yaml:12: iterations.0.traces.select.1.count: Option 'count' of the filter 'per-question' is 'few', but it must be a whole number, at least 1."),
        ("teacher: policy", "teacher: polici", PluginError, "small.yaml:24: iterations.1.traces.teacher: There is no teacher 'polici'."),
        ("bench: made", "bench: [made, mad]", PluginError, "small.yaml:26: bench.1: There is no benchmark 'mad'."),
        ("format: 0.1", "formt: 0.1", PluginError, "small.yaml:20: rewards.formt: There is no verifier 'formt'. Did you mean 'format'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_component_names_file_line_and_key(
    path: Path, fake_plugin: Path, old: str, new: str, kind: type[OpenvltError], message: str
) -> None:
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(kind) as error:
        compile_recipe(read(path), Registry.discover([fake_plugin]))
    assert message in str(error.value)


SCALED = """
scales:
  smoke:
    base: tinier
    traces: {data: {limit: 5}}
    train: {grpo: {trainer: {steps: 1}}}
    iterations:
      - traces: {teacher: {k: 1}}
"""


def test_a_scale_is_overlaid_wherever_the_recipe_has_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "scaled.yaml"
    file.write_text(TEXT + SCALED)
    plain, smoke = read_recipe(str(file)), read_recipe(str(file), settings=["scale=smoke", "train.sft.steps=2"])
    assert (plain.base.id, smoke.base.id) == ("tiny", "tinier")
    assert smoke.name == f"{plain.name}-smoke"
    assert read_recipe(str(file), settings=["scale=smoke", "name=mine"]).name == "mine"
    assert [one.traces.data.limit for one in smoke.iterations if one.traces] == [5] * len(plain.iterations)
    assert [one.train["grpo"].trainer for one in smoke.iterations] == [{"use": "copy-grpo", "steps": 1}] * 2
    assert [one.train["sft"].trainer["steps"] for one in smoke.iterations] == [2, 2]
    first, second = (one.traces.teacher for one in smoke.iterations if one.traces)
    assert (first["use"], first["k"], second) == ("tutor", 1, {"use": "policy"})


@pytest.mark.parametrize("scales", ["", "scales: 5", "scales: {other: {}}", "scales: {smoke: 1}"])
def test_an_unknown_scale_is_refused(tmp_path: Path, scales: str) -> None:
    (tmp_path / "any.yaml").write_text(f"{TEXT}{scales}\n")
    with pytest.raises(UsageError, match="has no scale 'smoke'"):
        read_recipe(str(tmp_path / "any.yaml"), settings=["scale=smoke"])
