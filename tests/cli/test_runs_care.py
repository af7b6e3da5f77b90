"""``openvlt runs verify`` finds every damaged byte; ``openvlt runs prune`` frees what no run needs and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from openvlt.errors import DataError, UsageError
from openvlt.records import Row

pytestmark = pytest.mark.xdist_group("distill")
Command = Callable[..., str]


@pytest.fixture
def openvlt(distilled: Command) -> Command:
    return distilled


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("what", ["stages/*/rows.jsonl", "values/*/*.jsonl", "images/*/*"])
def test_one_changed_byte_is_found_and_the_file_is_named(openvlt: Command, tmp_path: Path, what: str) -> None:
    assert "are unchanged" in openvlt("runs", "verify", "sums-distill")
    for path in sorted((tmp_path / "home").glob(what)):
        whole = path.read_bytes()
        middle = whole.index(b"\n") // 2 if b"\n" in whole[20:] and path.suffix else len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(DataError, match="damaged or incomplete in 1 place"):
            openvlt("runs", "verify", "sums-distill")
        path.write_bytes(whole)


def test_a_deleted_output_is_made_again_from_its_rows(openvlt: Command, tmp_path: Path) -> None:
    outputs = {path: path.read_bytes() for path in (tmp_path / "home").glob("stages/*/rows.jsonl")}
    for path in outputs:
        path.unlink()
    openvlt("distill", "RECIPE")
    assert outputs == {path: path.read_bytes() for path in outputs}


def test_what_a_run_needs_is_never_freed(openvlt: Command, tmp_path: Path) -> None:
    before = size(tmp_path / "home")
    assert "nothing" in openvlt("runs", "prune", "--yes")
    assert size(tmp_path / "home") == before


def test_pruning_shows_what_it_would_free_and_frees_it_only_with_yes(openvlt: Command, tmp_path: Path) -> None:
    openvlt("distill", "RECIPE", "--name", "larger", "--set", "traces.teacher.k=4")
    before = size(tmp_path / "home")
    openvlt("runs", "remove", "larger")
    shown = openvlt("runs", "prune")
    assert re.search(r"stage +3 .*MB", shown) and "--yes" in shown
    assert size(tmp_path / "home") > 0.8 * before
    openvlt("runs", "prune", "--yes")
    assert size(tmp_path / "home") < 0.8 * before
    assert "are unchanged" in openvlt("runs", "verify", "sums-distill")


def test_an_interrupted_run_keeps_its_unfinished_work(openvlt: Command, tmp_path: Path) -> None:
    record = tmp_path / "home" / "runs" / "sums-distill" / "run.json"
    record.write_bytes(record.read_bytes().replace(b'"status":"done"', b'"status":"failed"'))
    for path in (tmp_path / "home").glob("stages/*/stage.json"):
        path.unlink()
    before = size(tmp_path / "home")
    openvlt("runs", "prune", "--yes")
    assert size(tmp_path / "home") == before


def test_a_forgotten_run_is_gone(openvlt: Command) -> None:
    openvlt("runs", "remove", "sums-distill")
    with pytest.raises(UsageError, match="no run or benchmark result 'sums-distill'"):
        openvlt("runs", "show", "sums-distill")


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden"])
def test_no_name_leads_out_of_the_store(openvlt: Command, tmp_path: Path, name: str) -> None:
    for words in (["distill", "RECIPE", "--name", name], ["runs", "remove", name], ["runs", "verify", name]):
        with pytest.raises(UsageError, match="cannot be the name of a run"):
            openvlt(*words)
    assert not (tmp_path / "out").exists()


DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "changed": ("rows.jsonl", lambda rows: rows.replace(b"What", b"That")),
    "cut at a line": ("rows.jsonl", lambda rows: b"".join(rows.splitlines(keepends=True)[:4])),
    "cut in a line": ("rows.jsonl", lambda rows: rows[:-7]),
    "longer": ("rows.jsonl", lambda rows: rows + rows),
    "empty": ("rows.jsonl", lambda rows: b""),
    "rejections longer": ("rejected.jsonl", lambda rows: rows + b"{}\n"),
    "summary cut": ("stage.json", lambda summary: summary[:40]),
    "another count": ("stage.json", lambda summary: summary.replace(b'"out": 6', b'"out": 4')),
    "another digest": ("stage.json", lambda summary: summary.replace(b'"digest": "', b'"digest": "0')),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_output_is_made_again_and_nothing_is_made_of_it(
    openvlt: Command, tmp_path: Path, damage: str
) -> None:
    home, (name, change) = tmp_path / "home", DAMAGES[damage]
    whole = {path: path.read_bytes() for path in home.glob("stages/*/r*.jsonl")}
    for path in home.glob(f"stages/*/{name}"):
        path.write_bytes(change(path.read_bytes()))
    if name == "rows.jsonl":
        with pytest.raises(DataError, match=r"rows\.jsonl is damaged"):
            openvlt("export", "sums-distill", "--as", "trl", "--out", str(tmp_path / "out"))
        assert not (tmp_path / "out").exists()
    with suppress(DataError):  # it cannot tell which images damaged rows have
        assert "nothing" in openvlt("runs", "prune", "--yes")
    openvlt("distill", "RECIPE")
    assert whole == {path: path.read_bytes() for path in home.glob("stages/*/r*.jsonl")}
    assert "are unchanged" in openvlt("runs", "verify", "sums-distill")


@pytest.mark.parametrize("damage", ["changed", "cut at a line"])
def test_a_stage_that_reads_rows_damaged_meanwhile_is_not_finished(
    openvlt: Command, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openvlt.stages.workspace import Output

    read = Output.rows
    whole = {path: path.read_bytes() for path in (tmp_path / "home").glob("stages/*/r*.jsonl")}

    def damaged(output: Output) -> Iterator[Row]:
        if output.record.name == "distill-1":
            output.folder.rows_file.write_bytes(DAMAGES[damage][1](output.folder.rows_file.read_bytes()))
        return read(output)

    monkeypatch.setattr(Output, "rows", damaged)
    for path in (tmp_path / "home").glob("stages/*/stage.json"):
        path.unlink()
    with pytest.raises(DataError, match=r"rows\.jsonl is damaged: it is not what the stage wrote"):
        openvlt("distill", "RECIPE")
    monkeypatch.undo()
    openvlt("distill", "RECIPE")
    assert whole == {path: path.read_bytes() for path in whole}


def test_no_text_of_a_record_is_taken_for_markup(openvlt: Command, tmp_path: Path) -> None:
    openvlt("distill", "RECIPE")
    (path,) = (tmp_path / "home" / "runs").glob("*/run.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "recipe": "[/bold][red]x[/", "notes": ["[/] [link=http://x]"]}))
    assert "[/bold][red]x[/" in openvlt("runs")
    shown = openvlt("runs", "show", path.parent.name)
    assert "[/] [link=http://x]" in shown
