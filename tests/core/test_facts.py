"""Facts: found once and kept, by programs, by asking a model, and by sampling one; none is found that nobody needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from made import Bench, Heard

from judge_endpoint import Endpoint
from openvlt import (
    AskingFact,
    Completion,
    Drop,
    Example,
    ExampleFilter,
    Keep,
    Message,
    Model,
    ProgramFact,
    Reject,
)
from openvlt.errors import OpenvltError, PluginError, RemoteError
from openvlt.interfaces import ImageReader
from openvlt.registry import Built, Entry
from openvlt.stages.facts import Needed
from openvlt.stages.filter import Choice, Choosing, filter_examples
from openvlt.stages.workspace import Output

CALLS: list[str] = []


@dataclass(frozen=True)
class Colour(ProgramFact):
    """The red of the first pixel, as told by the name of a case."""

    says: str = "red"

    def value(self, example: Example, read: ImageReader) -> Any:
        CALLS.append(example.id)
        red = read(example.images[0]).getpixel((0, 0))[0]
        if self.says == "rejects" and red % 2:
            raise Reject("it is odd")
        if self.says == "fails":
            raise KeyError("parse")
        values = {"red": red, "text": str(red), "none": None, "nan": float("nan"), "list": [red], "infinite": 1e999}
        return red if self.says == "rejects" else values[self.says]


@dataclass(frozen=True)
class Told(ExampleFilter):
    """Keeps the examples whose facts have a value."""

    names: tuple[str, ...] = ("colour",)

    row_by_row: ClassVar[bool] = True

    @property
    def needs(self) -> tuple[str, ...]:
        return self.names

    def decide(self, examples: Iterable[Example], facts: Mapping[str, Any]) -> Iterator[Keep | tuple[Example, Drop]]:
        for example in examples:
            known = all(example.id in facts[name] for name in self.names)
            yield Keep(example) if known else (example, Drop("unknown"))


@dataclass(frozen=True)
class Nice(AskingFact):
    model: Model

    def messages(self, subject: Example) -> list[Message] | float | None:
        return 0.5 if subject.id == "train/0" else [Message.user(f"How nice is {subject.question}")]

    def parse(self, completion: Completion, subject: Example) -> float | None:
        if completion.text == "unsure":
            raise Reject("it is unsure")
        return float(completion.text)


def built(component: Any, kind: Any) -> Built[Any]:
    name = type(component).__name__.lower()
    return Built(component, Entry(kind=kind, name=name, id=f"test/{name}", summary="", target=""), {}, f"{component}")


@pytest.fixture
def choose(stages: Bench) -> Callable[..., tuple[Output, Mapping[str, Any]]]:
    def chosen(facts: Mapping[str, Needed], limit: int | None = None, n: int = 6) -> tuple[Output, Mapping[str, Any]]:
        choice = Choice((built(Told(tuple(facts)), "filter"),), limit, facts)
        choosing = Choosing(stages.workspace, choice, {})
        made = filter_examples(stages.workspace, "filter-1", 1, stages.load(n=n), choosing)
        return made, choosing._finder.facts

    CALLS.clear()
    return chosen


def test_a_fact_is_computed_once_whoever_needs_it(choose: Any) -> None:
    fact = {"colour": Needed(built(Colour(), "fact"))}
    made, facts = choose(fact, n=6)
    assert facts["colour"] == {f"train/{n}": n for n in range(6)} and len(CALLS) == 6
    assert made.record.counts["with colour"] == 6
    again, _ = choose(fact, n=6)
    assert again.record.cached and len(CALLS) == 6
    choose(fact, n=9)
    assert [f"train/{n}" for n in range(9)] == CALLS, "only what is new"
    other, facts = choose({"red": fact["colour"]}, n=9)
    assert not other.record.cached and len(facts["red"]) == len(CALLS) == 9, "another filter gets the same values"


@pytest.mark.parametrize(("says", "value"), [("red", 2), ("text", "2"), ("none", None), ("rejects", 2)])
def test_a_fact_is_a_number_or_a_text(choose: Any, says: str, value: Any) -> None:
    if says == "none":
        with pytest.raises(OpenvltError, match="the filters keep no example"):
            choose({"colour": Needed(built(Colour(says), "fact"))})
        return
    made, facts = choose({"colour": Needed(built(Colour(says), "fact"))})
    assert facts["colour"]["train/2"] == value and type(facts["colour"]["train/2"]) is type(value)
    assert len(facts["colour"]) == (3 if says == "rejects" else 6)
    assert made.record.rejected == ({"told: unknown": 3} if says == "rejects" else {})


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ("nan", "no finite number"),
        ("infinite", "no finite number"),
        ("list", "it returned list"),
        ("fails", "KeyError"),
    ],
)
def test_what_is_no_value_names_the_fact(stages: Bench, choose: Any, says: str, said: str) -> None:
    stages.workspace.progress = heard = Heard()
    with pytest.raises(OpenvltError, match="the filters keep no example"):
        choose({"colour": Needed(built(Colour(says), "fact"))})
    assert any(re.search(f"fact colour .*{said}", note) for note in heard.notes)
    stages.workspace.strict = True
    with pytest.raises(PluginError, match=f"fact colour .*{said}"):
        choose({"other": Needed(built(Colour(says), "fact"))}, n=7)


def test_a_model_is_asked_about_each_example_once(choose: Any, endpoint: Endpoint, monkeypatch: Any) -> None:
    from openvlt_plugins.openai import engine

    monkeypatch.setattr(engine, "_FIRST_DELAY", 0.01)
    monkeypatch.setattr(engine, "_LONGEST_DELAY", 0.01)
    nice = Nice(Model(id="judge", url=(endpoint.url,)))
    fact = {"nice": Needed(built(nice, "fact"), models={"model": nice.model})}
    endpoint.reply = lambda prompt: "DOWN" if "1 + 7" in prompt else "unsure" if "2 + 14" in prompt else "0.25"
    with pytest.raises(RemoteError, match="The fact nice got no reply to 1 of 5 requests"):
        choose(fact)
    endpoint.prompts.clear()
    endpoint.reply = lambda prompt: "0.75"
    made, facts = choose(fact)
    assert facts["nice"] == {"train/0": 0.5, "train/1": 0.75, "train/3": 0.25, "train/4": 0.25, "train/5": 0.25}
    assert len(endpoint.prompts) == 1 and made.record.rejected == {"told: unknown": 1}


@pytest.mark.parametrize(("limit", "found"), [(3, 32), (40, 40), (None, 90)])
def test_facts_are_found_of_as_many_examples_as_it_takes(choose: Any, limit: int | None, found: int) -> None:
    made, _ = choose({"colour": Needed(built(Colour(), "fact"))}, limit, n=90)
    assert len(CALLS) == found and made.record.out == (limit or 90)
    assert sum(made.record.rejected.values()) == 90 - made.record.out
