"""``openvlt check`` says what it did not check, and never that nothing passed as if all was well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from openvlt.__main__ import run

PLUGIN = '''
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge
from openvlt import Example, Option, ProgramFact, Reject, Rejected, Source, hookimpl


def row(number):
    return Example(id=str(number), question="How many?", answer="1")


@dataclass(frozen=True)
class Same(ProgramFact):
    """Has the name of a source."""

    shift: Annotated[int, Option("added")] = 0

    def value(self, example, read):
        return len(example.question) + self.shift


@dataclass(frozen=True)
class Rows(Source):
    """Rows."""

    count: Annotated[int, Ge(1), Option("rows")] = 3

    def examples(self, split):
        yield from map(row, range(self.count))


@dataclass(frozen=True)
class Raising(Rows):
    """Rows, of which one is rejected by what ends the generator."""

    def examples(self, split):
        for number in range(self.count):
            if number == 1:
                raise Reject("too dark")
            yield row(number)


class Left(Iterator):
    def __init__(self, count):
        self.left = iter(range(count))

    def __next__(self):
        number = next(self.left)
        if number == 1:
            raise Reject("too dark")
        return row(number)


@dataclass(frozen=True)
class Going(Rows):
    """Rows, of which one is rejected by an iterator that goes on."""

    def examples(self, split):
        return Left(self.count)


@dataclass(frozen=True)
class Yielding(Rows):
    """Rows, of which one is rejected as it should be."""

    def examples(self, split):
        for number in range(self.count):
            yield Rejected(id="1", reason="too dark") if number == 1 else row(number)


@dataclass(frozen=True)
class Wrong(Rows):
    """A default that its own bounds refuse."""

    count: Annotated[int, Ge(1), Option("rows")] = 0


@dataclass(frozen=True)
class Jointly(Rows):
    """Defaults that it refuses itself."""

    def __post_init__(self):
        if self.count < 4:
            raise ValueError("count is below 4")


@dataclass(frozen=True)
class Lacking(Source):
    """Lacks something here."""

    path: Annotated[str, Option("file")]
    count: ClassVar[int] = 3
    examples = Rows.examples


@hookimpl
def register_sources(register):
    for name, kind in SOURCES.items():
        register(name, kind, summary="rows")


@hookimpl
def register_facts(register):
    if "same" in SOURCES:
        register("same", Same, summary="a number")
'''
Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Check a plugin with some of the sources: exit code and what is printed."""

    def checked(sources: dict[str, str], *more: str) -> tuple[int, str, str]:
        file = tmp_path / "mine.py"
        named = ", ".join(f'"{name}": {kind}' for name, kind in sources.items())
        file.write_text(f"{PLUGIN}\nSOURCES = {{{named}}}\n")
        code = run(["check", str(file), *more])
        said = capsys.readouterr()
        return code, said.out, said.err

    return checked


@pytest.mark.parametrize(
    ("sources", "more", "code", "said"),
    [
        ({"rows": "Rows"}, ["--kind", "sorce"], 2, "'sorce' is not one of 'source'"),
        ({"rows": "Rows"}, ["--kind", "captioner"], 2, "has no captioner. It has: source."),
        ({"rows": "Rows"}, ["--set", "rwos.count=1"], 2, "no component 'rwos' to set an option of. Did you mean 'rows'?"),
        ({"rows": "Rows"}, ["--set", "rows.cuont=1"], 2, "'rows' has no option 'cuont'. Did you mean 'count'?"),
        ({"rows": "Rows"}, ["--set", "rows.count=0"], 2, "is 0, but it must be at least 1"),
        ({"rows": "Jointly"}, ["--set", "rows.count=2"], 2, "count is below 4"),
        ({"rows": "Jointly"}, ["--set", "rows.count=4"], 0, "1 passed"),
        ({"rows": "Jointly"}, [], 3, "Its own defaults are refused: The source 'rows' cannot be built: count is below 4"),
        ({"rows": "Wrong"}, [], 3, "Its own defaults are refused: Option 'count' of the source 'rows' is 0"),
        ({"lacks": "Lacking"}, [], 3, "Nothing was checked: every component lacks something here."),
        ({"lacks": "Lacking"}, ["--set", "lacks.path=a"], 0, "1 passed"),
        ({"lacks": "Lacking", "rows": "Rows"}, [], 0, "1 passed, 0 failed, 1 skipped."),
        ({"same": "Rows"}, ["--set", "same.shift=2", "--set", "same.count=1"], 0, "2 passed"),
        ({"rows": "Raising"}, [], 3, "raises Reject (too dark), which ends them: all that follow are lost. Yield Rejected"),
        ({"rows": "Going"}, [], 0, "1 passed"),
        ({"rows": "Yielding"}, [], 0, "1 passed"),
        ({}, [], 0, "0 passed"),
    ],
)  # fmt: skip
def test_what_is_not_checked_is_said(
    check: Check, sources: dict[str, str], more: list[str], code: int, said: str
) -> None:
    found, out, err = check(sources, *more)
    assert (found, said in out + err) == (code, True), out + err


def test_a_bot_reads_that_nothing_was_checked(check: Check) -> None:
    code, out, _ = check({"lacks": "Lacking"}, "--json")
    assert (code, json.loads(out)["passed"]) == (3, False)
