"""Exports, data sets, pages and results are written beside and renamed, and replace only what openvlt wrote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvlt import system
from openvlt.errors import DataError, UsageError
from openvlt.store import Home, StageFolder, StageWriter, open_home, replacing

pytestmark = pytest.mark.xdist_group("distill")
Command = Callable[..., str]


@pytest.fixture
def openvlt(distilled: Command) -> Command:
    return distilled


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_is_replaced_at_once_or_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(system, "_exchanged", lambda new, old: False)
    for text in ("old", "new"):
        with replacing(tmp_path / "out") as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_text(text)
            assert content(tmp_path / "out") == ({"deep/file": b"old"} if text == "new" else {})
    with pytest.raises(RuntimeError), replacing(tmp_path / "out") as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert content(tmp_path) == {"out/deep/file": b"new"}


@pytest.mark.parametrize("form", ["sharegpt", "easyr1", "verl", "trl"])
def test_an_export_that_ends_early_leaves_nothing(
    openvlt: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    before = set(tmp_path.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(system, "sync", full)
        with pytest.raises(DataError, match="out cannot be written: No space left on device"):
            openvlt("export", "sums-distill", "--as", form, "--out", tmp_path / "out")
    assert set(tmp_path.iterdir()) == before
    openvlt("export", "sums-distill", "--as", form, "--out", tmp_path / "out")
    assert content(tmp_path / "out")


FOREIGN: dict[str, dict[str, str]] = {
    "a card of another": {"README.md": "# My project"},
    "another file": {"notes.txt": "mine"},
    "other data": {"README.md": "---\ntags:\n- openvlt\n---\n", "data/train.csv": "mine"},
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_data_set_replaces_only_a_data_set(openvlt: Command, tmp_path: Path, foreign: str) -> None:
    out = tmp_path / "out"
    for name, text in FOREIGN[foreign].items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    before = content(out)
    with pytest.raises(UsageError, match="contains files that openvlt did not write"):
        openvlt("distill", "RECIPE", "--out", out)
    assert content(out) == before
    shutil.rmtree(out)
    openvlt("distill", "RECIPE", "--out", out)
    (out / "data" / "train-00009.parquet").write_text("of a larger one")
    openvlt("distill", "RECIPE", "--out", out)
    assert sorted(content(out)) == ["README.md", "data/train-00000.parquet"]


def test_a_page_replaces_only_a_page(openvlt: Command, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    out.write_text("<html>mine</html>")
    with pytest.raises(UsageError, match=r"page\.html was not written by openvlt"):
        openvlt("report", "sums-distill", "--out", out)
    assert out.read_text() == "<html>mine</html>"
    out.unlink()
    for _ in range(2):
        openvlt("report", "sums-distill", "--out", out)
    assert "sums-distill" in out.read_text()


def test_what_stage_json_names_is_synced_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync, replace_file = os.fsync, Path.replace

    def noted(file: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{file}")).relative_to(tmp_path).as_posix())
        sync(file)

    def renamed(path: Path, target: Path) -> Path:
        synced.append(f"rename {target.name}")
        return replace_file(path, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", renamed)
    writer = StageWriter(StageFolder(tmp_path / "stage"))
    writer.finish({})
    order = ["stage/rows.partial", "stage/rejected.jsonl", "rename rows.jsonl", "stage/rows.jsonl", "rename stage.json"]
    assert [each for each in synced if each in order] == order
    assert synced.index("stage") < synced.index("rename stage.json") and synced[-1] == "stage"
    synced.clear()
    (tmp_path / "trained" / "model").mkdir(parents=True)
    (tmp_path / "trained" / "model" / "a.safetensors").write_text("1")
    StageFolder(tmp_path / "trained").complete({"model": "model", "digest": "1"}, {"model/a.safetensors": "2"})
    assert {"trained/model", "trained/model/a.safetensors", "trained"} <= set(
        synced[: synced.index("rename stage.json")]
    )


@pytest.mark.parametrize("change", ["truncate", "grow", "delete", "flip"])
def test_a_damaged_model_is_neither_used_nor_trained_again_without_being_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_plugin: Path, fake_model: Path, change: str
) -> None:
    from click.testing import CliRunner

    from openvlt.cli import cli

    (tmp_path / "any.yaml").write_text(
        f"name: any\nbase: {{id: {fake_model}, backend: fake}}\nrewards: {{answer: 1.0}}\n"
        "train: {grpo: {trainer: {use: copy-grpo, steps: 1}, data: {source: {use: made, n: 4}}}}\n"
    )

    def openvlt(*words: Any) -> str:
        runner = CliRunner(env={"OPENVLT_HOME": str(tmp_path / "home")})
        result = runner.invoke(cli, ["--plugin", str(fake_plugin), *map(str, words)])
        if result.exception is not None:
            raise result.exception
        return result.stdout

    openvlt("train", tmp_path / "any.yaml")
    (file,) = tmp_path.glob("home/stages/*/model/skill.json")
    whole = file.read_bytes()
    changes = {"truncate": whole[:-3], "grow": whole + b" ", "flip": whole.replace(b"9", b"8")}
    file.unlink() if change == "delete" else file.write_bytes(changes[change])
    with pytest.raises(DataError, match=r"model is damaged: \S+skill\.json is not what the training wrote"):
        openvlt("train", tmp_path / "any.yaml")
    if change != "flip":
        with pytest.raises(DataError, match=r"model is damaged: \S+skill\.json"):
            openvlt("export", "any", "--as", "model", "--out", tmp_path / "out")
    with pytest.raises(DataError, match="damaged or incomplete in 1 place"):
        openvlt("runs", "verify", "any")
    file.write_bytes(whole)
    openvlt("train", tmp_path / "any.yaml")
    assert "are unchanged" in openvlt("runs", "verify", "any")


def test_a_home_is_for_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, mode in (("new", None), ("open", 0o755), ("shared", 0o1777)):
        monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / name))
        if mode is not None:
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(mode)
        found = open_home().root.stat().st_mode & 0o7777
        assert found == (mode if name == "shared" else 0o700), name


def test_a_home_of_another_user_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert open_home() == Home(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_result_is_replaced_by_a_whole_one_and_a_damaged_one_gives_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_plugin: Path, fake_model: Path
) -> None:
    from openvlt.__main__ import run

    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    (fake_model / "config.json").write_text("{}")
    words = ["--plugin", str(fake_plugin), "bench", "made", "--model", str(fake_model), "--backend", "fake"]
    assert run(words) == 0
    (folder,) = (tmp_path / "home" / "runs").iterdir()
    whole, sync = content(folder), system.sync

    def full(path: Path) -> None:
        if path.name == "result.json":
            raise OSError(28, "No space left on device")
        sync(path)

    with monkeypatch.context() as patched:
        patched.setattr(system, "sync", full)
        assert run(words) == 4
    assert content(folder) == whole
    assert run(words) == 0
    assert [path.name for path in (tmp_path / "home" / "runs").iterdir()] == [folder.name]
    (folder / "rows.jsonl").write_bytes(whole["rows.jsonl"].replace(b'"correct"', b'"incorre"'))
    assert run(["compare", folder.name, folder.name]) == 4
    assert run(["--plugin", str(fake_plugin), "bench", "--rescore", folder.name]) == 4
