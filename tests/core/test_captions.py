"""Captions that no model makes: from the data, or by a program."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from made import Bench, Heard

from openvlt.errors import DataError, OpenvltError
from openvlt.registry import Registry
from openvlt.stages.caption import caption
from openvlt.stages.load import load
from openvlt.stages.workspace import Output

PROGRAM = """
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from openvlt import ProgramCaptioner, Reject, hookimpl

LOG: list[str] = []

@dataclass(frozen=True)
class Program(ProgramCaptioner):
    does: str = "sees"

    @contextmanager
    def open(self, read: Any) -> Iterator[Any]:
        LOG.append("open")
        try:
            yield lambda images: self.caption(images, read)
        finally:
            LOG.append("close")

    def caption(self, images: Any, read: Any) -> Any:
        LOG.append(self.does)
        colour = read(images[0]).getpixel((0, 0))
        if self.does == "fails":
            raise KeyError("cell")
        if self.does == "rejects" and colour == (0, 0, 0):
            raise Reject("too dark")
        return {"silent": None, "empty": "", "wrong": 7}.get(self.does, str(colour))

@hookimpl
def register_captioners(register):
    register("program", Program, summary="a program")
"""


def rows(bench: Bench, folder: Path, *tables: Any, images: Sequence[str] = ("black", "black", "white")) -> Output:
    """Examples 0, 1, 2 with an image each, and a column `table`."""
    lines = []
    for number, (colour, table) in enumerate(zip(images, tables, strict=True)):
        PIL.Image.new("RGB", (8, 8), colour).save(folder / f"{colour}.png")
        lines.append({"id": number, "question": f"{number}?", "answer": "1", "image": f"{colour}.png", "table": table})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = bench.build("source", "rows", path=str(folder / "rows.jsonl"))
    return load(bench.workspace, "load-1", 1, source, "train")


def captioned(bench: Bench, loaded: Output, use: str = "ready", **options: Any) -> Output:
    captioner = bench.workspace.registry.build("captioner", {"use": use, **options})
    return caption(bench.workspace, "caption-1", 1, loaded, captioner, {})


def captions(made: Output) -> list[str | None]:
    return [row.caption for row in made.rows()]


def test_a_column_is_the_caption(stages: Bench, tmp_path: Path) -> None:
    made = captioned(stages, rows(stages, tmp_path, "a | 1\n", None, ["b", 2]), column="table")
    assert captions(made) == ["a | 1", None, '["b", 2]']
    assert made.record.counts["captioned"] == 2


def test_no_caption_at_all_is_counted_and_said(stages: Bench, tmp_path: Path) -> None:
    stages.workspace.progress = heard = Heard()
    made = captioned(stages, rows(stages, tmp_path, "a", "b", "c"), column="tabel")
    assert (captions(made), made.record.counts["captioned"], made.record.rejected) == ([None] * 3, 0, {})
    assert heard.notes == ["Warning: caption-1: none of the 3 rows has a caption."]


def write(file: Path, found: Sequence[dict[str, Any]]) -> str:
    if file.suffix == ".csv":
        names = list(found[0])
        file.write_text(
            "\n".join(
                ",".join(str(row[name]) for name in names) for row in [dict(zip(names, names, strict=True)), *found]
            )
        )
    else:
        file.write_text("\n".join(map(json.dumps, found)))
    return str(file)


@pytest.mark.parametrize("name", ["captions.jsonl", "captions.csv"])
def test_a_file_has_captions_by_id_and_by_the_digest_of_the_image(name: str, stages: Bench, tmp_path: Path) -> None:
    loaded = rows(stages, tmp_path, 0, 0, 0)
    white = hashlib.sha256((tmp_path / "white.png").read_bytes()).hexdigest()
    file = write(
        tmp_path / name, [{"key": 0, "alt": "black of 0"}, {"key": white, "alt": "white"}, {"key": 9, "alt": "9"}]
    )
    made = captioned(stages, loaded, path=file, id="key", column="alt")
    assert captions(made) == ["black of 0", None, "white"]
    assert made.record.counts["captioned"] == 2


def test_only_captions_and_what_they_are_of_make_the_identity(stages: Bench, tmp_path: Path) -> None:
    loaded = rows(stages, tmp_path, 0, 0, 0)
    one = [{"id": 0, "caption": "a", "by": "ann"}, {"id": 1, "caption": "b", "by": "ann"}]
    first = captioned(stages, loaded, path=write(tmp_path / "one.jsonl", one))
    other_column = captioned(stages, loaded, path=write(tmp_path / "one.jsonl", [{**row, "by": "bob"} for row in one]))
    other_order = captioned(stages, loaded, path=write(tmp_path / "one.jsonl", one[::-1]))
    assert (other_column.record.cached, other_order.record.cached) == (True, True)
    changed = captioned(stages, loaded, path=write(tmp_path / "one.jsonl", [one[0], {"id": 1, "caption": "c"}]))
    assert changed.record.fingerprint != first.record.fingerprint
    assert (captions(first), captions(changed)) == (["a", "b", None], ["a", "c", None])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (None, "does not exist"),
        (['{"id": 1, "alt": "a"}'], "captions.jsonl:1 has no column 'caption'; it has id, alt"),
        (['{"id": 1, "caption": "a"}', '{"caption": "a"}'], "captions.jsonl:2 has no column 'id'"),
        (['{"id": 1, "caption": "a"}', "{"], "captions.jsonl:2: this line is not JSON"),
        (
            ['{"id": 1, "caption": "a"}', '{"id": "1", "caption": "b"}'],
            "captions.jsonl:2: '1' has another caption above",
        ),
    ],
)
def test_a_file_of_no_use_is_refused_before_any_work(lines: list[str] | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "captions.jsonl"
    if lines is not None:
        file.write_text("\n".join(lines))
    with pytest.raises(DataError, match=said):
        Registry.discover().build("captioner", {"use": "ready", "path": str(file)}).component.revision()


@pytest.fixture
def program(stages: Bench, tmp_path: Path) -> tuple[Bench, list[str]]:
    """A bench with the captioner `program`, and what that has been called for."""
    (tmp_path / "program.py").write_text(PROGRAM)
    registry = Registry.discover([tmp_path / "program.py"])
    bench = replace(stages, workspace=replace(stages.workspace, registry=registry, reject_above=0.7))
    component: Any = type(registry.build("captioner", "program").component)
    return bench, component.open.__wrapped__.__globals__["LOG"]


def test_a_program_looks_at_each_image_once(program: tuple[Bench, list[str]], tmp_path: Path) -> None:
    bench, log = program
    made = captioned(bench, rows(bench, tmp_path, 0, 0, 0), "program")
    assert captions(made) == ["(0, 0, 0)", "(0, 0, 0)", "(255, 255, 255)"]
    assert log == ["open", "sees", "sees", "close"]
    assert captioned(bench, rows(bench, tmp_path, 0, 0, 0), "program").record.cached
    assert captions(captioned(bench, rows(bench, tmp_path, 1, 0, 0), "program")) == captions(made)
    assert log.count("open") == 1, "its captions are values: other rows with the same images need it no more"


@pytest.mark.parametrize(
    ("does", "expected", "rejected"),
    [
        ("silent", [None] * 3, {}),
        ("empty", [None] * 3, {}),
        ("rejects", ["(255, 255, 255)"], {"too dark": 2}),
    ],
)
def test_a_program_may_have_nothing_to_say(
    does: str, expected: list[str | None], rejected: dict[str, int], program: tuple[Bench, list[str]], tmp_path: Path
) -> None:
    made = captioned(program[0], rows(program[0], tmp_path, 0, 0, 0), "program", does=does)
    assert (captions(made), made.record.rejected) == (expected, rejected)


@pytest.mark.parametrize(
    ("does", "error", "said"),
    [
        (
            "fails",
            DataError,
            r"3 x captioner program \(file:program\) failed in the function of open: KeyError: 'cell' \(program.py:",
        ),
        ("wrong", DataError, r"3 x captioner program \(file:program\) failed in the function of open: it returned"),
    ],
)
def test_a_program_that_fails_is_named(
    does: str, error: type[OpenvltError], said: str, program: tuple[Bench, list[str]], tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        captioned(program[0], rows(program[0], tmp_path, 0, 0, 0), "program", does=does)
    assert program[1][-1] == "close"
