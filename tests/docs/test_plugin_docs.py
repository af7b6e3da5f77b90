"""The documentation's plugins are whole, and do what the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from openvlt import Claim, Example, Trace, Verdict, hookspecs
from openvlt.records import Run, StageRecord
from openvlt.registry import Registry

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "openvlt_spec")]


def plugins_in(page: str) -> list[str]:
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "@hookimpl" in block]


def load(text: str, folder: Path) -> Registry:
    file = folder / "documented.py"
    file.write_text(text)
    return Registry.discover([file])


def example_of(hook: str) -> str:
    (found,) = [text for text in plugins_in("hooks.md") if f"def {hook}(" in text]
    return found


@pytest.fixture(autouse=True)
def only_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVLT_PLUGINS", "")


def test_every_hook_has_a_section() -> None:
    headings = re.findall(r"^### `(\w+)\(", (DOCS / "hooks.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_each_hook_is_a_plugin(hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    registry = load(example_of(hook), tmp_path)
    plugin = registry.plugins[-1]
    assert (plugin.status, plugin.reason) == ("ok", "")
    for entry in plugin.components:
        if not entry.target.endswith(".yaml"):
            assert registry.build(entry.kind, entry.name).component is not None
    if hook.startswith("on_"):
        stage = StageRecord(stage_kind="sft", name="sft-1", iteration=1, fingerprint="f")
        event = {"run": Run(name="r", recipe="q", status="done")} | ({"stage": stage} if "stage" in hook else {})
        registry.notify(hook, **event)
        assert [file.suffix for file in tmp_path.iterdir() if file.suffix == ".txt"] == [".txt"]


def test_the_reward_fits_in_15_lines() -> None:
    (text,) = plugins_in("plugins.md")
    assert len([line for line in text.splitlines() if line]) <= 15


@settings(deadline=None, max_examples=20)
@given(words=st.integers(1, 500), limit=st.integers(1, 500))
def test_the_reward_rewards_brevity(words: int, limit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    (text,) = plugins_in("plugins.md")
    registry = load(text, tmp_path_factory.getbasetemp())
    brevity = registry.build("verifier", {"use": "brevity", "limit": limit}).component
    trace = Trace(think="word " * words, answer="red", raw="")
    example = Example(id="1", question="What colour?", answer="red")
    right = Claim(trace=trace, example=example, verdicts={"answer": Verdict.correct()})
    wrong = Claim(trace=trace, example=example, verdicts={"answer": Verdict.incorrect()})
    assert brevity.verify(wrong).score == 0.0
    score = brevity.verify(right).score
    assert score == 1.0 if words <= limit else score == pytest.approx(limit / words)
