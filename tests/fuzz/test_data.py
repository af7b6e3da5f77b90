"""Rows of a source, responses to a benchmark, claims to verify: files and plugins of other people."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from entrance import attempt, command, fuzzed
from hypothesis import strategies as st
from odd import TEXTS, VALUES, damaged, lines_of

from openvlt import Example, Image, Rejected, Source
from openvlt.records import Row
from openvlt.registry import Built, Registry
from openvlt.stages.load import load
from openvlt.stages.workspace import Workspace
from openvlt.store import open_home

ROWS = [
    {"id": "1", "question": "How many?", "answer": "3", "choices": ["1", "3"], "unit": "cm", "precision": 1},
    {"id": "2", "question": "<image> Is it red?", "answer": "yes", "metadata": {"category": "a"}, "image": "a.png"},
    {
        "id": "3",
        "messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
        "answer": 4,
    },
]
RESPONSES = [
    {"id": f"test/{index}", "response": f"<answer>{index}</answer>", "model_answer": None} for index in range(4)
]
CLAIMS = [
    {
        "id": 1,
        "gold": "1/2",
        "response": "so <answer>0.5</answer>",
        "answer_type": "float",
        "precision": 1,
        "unit": "cm",
    },
    {"gold": "B", "response": "\\boxed{b}", "choices": ["red", "blue"]},
]
TABLE = b'id,question,answer\n1,How many?,3\n2,"Is it\nred?",yes\n'
TSV = b"index\tprediction\ntest/0\t1\ntest/1\t2\n"
ANY = VALUES | st.sampled_from([b"x", object(), {1}, 1j, Image("a", 1, 1), ("a",), [b"a"]])
EXAMPLES = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", "2"]) | ANY, "question": st.just("How many?") | ANY, "answer": st.just("3") | ANY},
    optional=dict.fromkeys(("images", "choices", "answer_type", "precision", "unit", "metadata"), ANY),
).map(lambda fields: Example(**fields))  # type: ignore[arg-type]
ITEMS = st.one_of(EXAMPLES, ANY, st.builds(Rejected, id=ANY, reason=ANY))
NUMBER = itertools.count()


@dataclass(frozen=True)
class Odd(Source):
    """Yields what it is told to."""

    items: tuple[Any, ...]
    error: BaseException | None
    splits: ClassVar[tuple[str, ...]] = ("train",)

    def examples(self, split: str) -> Iterator[Any]:
        yield from self.items
        if self.error is not None:
            raise self.error


def workspace() -> Workspace:
    return Workspace(open_home(), Registry.discover([]), reject_above=1.0)


ERRORS = st.sampled_from(
    [None, ValueError("\x1b[2J\ud800"), KeyError(), RecursionError("deep"), UnicodeDecodeError("a", b"b", 0, 1, "c")]
)


@fuzzed(60, items=st.lists(ITEMS, max_size=5), error=ERRORS)
def test_a_source(items: list[Any], error: BaseException | None, home: Path) -> None:
    here = workspace()
    built = here.registry.build(Source, {"use": "rows", "path": "none.jsonl"})
    odd = Built(Odd(tuple(items), error), built.entry, str(next(NUMBER)), *list(vars_of(built))[3:])

    def read() -> None:
        for row in load(here, "load-1", 1, odd, "train").rows():
            assert isinstance(row, Row)

    attempt("source", read)


def vars_of(built: Any) -> Iterator[Any]:
    for name in built.__dataclass_fields__:
        yield getattr(built, name)


@fuzzed(60, content=lines_of(ROWS) | damaged(TABLE), suffix=st.sampled_from(["jsonl", "json", "csv", "tsv"]))
def test_a_file_of_rows(content: bytes, suffix: str, home: Path) -> None:
    Path(f"rows.{suffix}").write_bytes(content)
    here = workspace()
    (home / "number").write_text(str(next(NUMBER)))

    def read() -> None:
        source = here.registry.build(Source, {"use": "rows", "path": f"rows.{suffix}"})
        for row in load(here, "load-1", 1, source, source.component.splits[0]).rows():
            assert row.example.question or row.example.images

    attempt("rows", read)


@fuzzed(40, content=lines_of(RESPONSES) | damaged(TSV), suffix=st.sampled_from(["jsonl", "json", "tsv", "csv"]))
def test_a_file_of_responses(content: bytes, suffix: str, home: Path, fake: tuple[str, ...]) -> None:
    Path(f"responses.{suffix}").write_bytes(content)
    command("responses", *fake, "bench", "made", "--responses", f"responses.{suffix}")


@fuzzed(8, content=lines_of(CLAIMS))
def test_a_file_of_claims(content: bytes, home: Path) -> None:
    Path("claims.jsonl").write_bytes(content)
    command("claims", "verify", "--file", "claims.jsonl", "--workers", "1")


@fuzzed(
    6, gold=st.sampled_from(TEXTS), response=st.sampled_from(TEXTS), choices=st.sampled_from([*TEXTS, "[" * 3000, "[1"])
)
def test_a_claim_of_the_command_line(gold: str, response: str, choices: str, home: Path) -> None:
    command("claim", "verify", "--bare", "--workers", "1", "--choices", choices, "--", gold, response)
