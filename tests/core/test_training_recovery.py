"""What a kill, a damaged file or a full disk costs a training: never a step that is saved, never a wrong record."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies
from made import Bench, Heard

from openvlt.errors import DataError, OpenvltError, PluginError
from openvlt.records import StageRecord
from openvlt.registry import Registry
from openvlt.stages.checkpoints import MANIFEST, complete, damage, last_complete
from openvlt.stages.train_process import _Metrics
from openvlt.stages.train_worker import _tallies, unwritable
from openvlt.stages.workspace import Output
from openvlt.store import decode, encode

REWARDS = {"answer": 1.0, "format": 0.1}


def train(stages: Bench, use: str = "copy-grpo") -> tuple[Output, Path, list[str]]:
    """Train for four steps; returns the output, the model and what the user was told."""
    heard = stages.workspace.progress = Heard()
    rewards = REWARDS if use == "copy-grpo" else None
    made, folder = stages.train(stages.load(n=8), use, stages.model, rewards, steps=4)
    return made, folder, heard.notes


def interrupted(stages: Bench, fake: Callable[..., None], at: int, fault: str = "die") -> Path:
    """Let a training be killed in a step; returns its folder."""
    fake(trainer=fault, at=at)
    with pytest.raises(OpenvltError, match=r"killed by signal 9 \(out of memory\?\)"):
        train(stages)
    fake()
    (job,) = stages.workspace.home.stages.glob("*/job.json")
    return job.parent


def records(folder: Path) -> dict[str, Any]:
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in metrics:
        del row["started_from"]
    return {"metrics": metrics, "completions": (folder / "completions-0.jsonl").read_text()}


@pytest.fixture
def undisturbed(stages: Bench) -> tuple[dict[str, Any], Any]:
    """Records and counts of a training that nothing befell; its folder is deleted."""
    made, _, notes = train(stages)
    assert notes == []
    found = records(made.folder.path), made.record.counts
    shutil.rmtree(made.folder.path)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["die", "die unsaved"])
@pytest.mark.parametrize("at", [1, 3, 4])
def test_the_records_hold_every_step_once(
    stages: Bench, fake: Callable[..., None], undisturbed: tuple[dict[str, Any], Any], at: int, fault: str
) -> None:
    interrupted(stages, fake, at, fault)
    made, _, _ = train(stages)
    assert (records(made.folder.path), made.record.counts) == undisturbed
    assert made.record.counts["answer/correct"] == 2 * 4


def test_a_training_that_starts_anew_forgets_what_it_recorded(
    stages: Bench, fake: Callable[..., None], undisturbed: tuple[dict[str, Any], Any]
) -> None:
    folder = interrupted(stages, fake, 3)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    made, _, notes = train(stages)
    assert (records(made.folder.path), made.record.counts) == undisturbed
    assert notes == []


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "name", "why"),
    [
        (truncated, "skill.json", "skill.json has 14 of 29 bytes"),
        (flipped, "skill.json", "skill.json has changed"),
        (Path.unlink, "skill.json", "skill.json is missing"),
        (Path.unlink, MANIFEST, "its saving was interrupted"),
        (truncated, MANIFEST, f"its {MANIFEST} cannot be read"),
        (flipped, MANIFEST, f"its {MANIFEST} cannot be read"),
        (lambda path: path.write_text("[1]"), MANIFEST, f"its {MANIFEST} cannot be read"),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    stages: Bench,
    fake: Callable[..., None],
    undisturbed: tuple[dict[str, Any], Any],
    spoil: Callable[[Path], Any],
    name: str,
    why: str,
) -> None:
    folder = interrupted(stages, fake, 4)
    spoil(folder / "checkpoint-3" / name)
    made, _, notes = train(stages)
    assert notes[0].startswith("Warning: copy-grpo-1: checkpoint-3 is skipped: ") and why in notes[0]
    assert notes[1:] == ["Warning: copy-grpo-1: the training resumes from checkpoint-2."]
    assert (records(folder), made.record.counts) == undisturbed
    started = [json.loads(line)["started_from"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert started == [0, 0, 2, 2]


def test_without_a_whole_checkpoint_a_training_starts_anew_and_says_so(
    stages: Bench, fake: Callable[..., None], undisturbed: tuple[dict[str, Any], Any]
) -> None:
    folder = interrupted(stages, fake, 3)
    for checkpoint in folder.glob("checkpoint-*"):
        flipped(checkpoint / "skill.json")
    made, _, notes = train(stages)
    assert [note.partition(": ")[2] for note in notes] == [
        "copy-grpo-1: checkpoint-2 is skipped: skill.json has changed.",
        "copy-grpo-1: checkpoint-1 is skipped: skill.json has changed.",
        "copy-grpo-1: the training resumes from its first step.",
    ]
    assert (records(folder), made.record.counts) == undisturbed


def test_records_that_lost_something_are_told_and_stay_readable(stages: Bench, fake: Callable[..., None]) -> None:
    folder = interrupted(stages, fake, 3)
    (folder / "metrics.jsonl").unlink()
    truncated(folder / "completions-0.jsonl")
    made, _, notes = train(stages)
    assert len(notes) == 2
    assert all("bytes of what came before the checkpoint" in note for note in notes)
    assert 2 * 2 < made.record.counts["answer/correct"] + made.record.counts["answer/incorrect"] < 4 * 4


def test_a_damaged_line_of_completions_never_ends_a_training(tmp_path: Path) -> None:
    verdict = {"status": "correct", "score": 1.0, "cause": None, "reason": ""}
    spoilt = [{"verdicts": {"answer": {**verdict, "status": "corsect"}}}, {"verdicts": {"answer": {"score": 1.0}}},
              {"verdicts": [verdict]}, {"verdictt": {}}, [verdict], 1, None]  # fmt: skip
    lines = [*map(json.dumps, [{"id": "1", "verdicts": {"answer": verdict}}, *spoilt]), '{"verdicts": {"ans', "\0"]
    (tmp_path / "completions-0.jsonl").write_text("\n".join(lines))
    assert {name: tally.statuses for name, tally in _tallies(tmp_path).items()} == {"answer": {"correct": 1}}


@given(places=strategies.lists(strategies.tuples(strategies.integers(0, 400), strategies.integers(0, 7)), min_size=1))
def test_no_bit_of_a_checkpoint_can_change_unnoticed(
    places: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("job")
    for number in (1, 2):
        (folder / f"checkpoint-{number}" / "part").mkdir(parents=True)
        for name in ("weights", "part/state"):
            (folder / f"checkpoint-{number}" / name).write_bytes(bytes(range(100)))
        complete(folder / f"checkpoint-{number}", folder)
    files = [folder / "checkpoint-2" / name for name in ("weights", "part/state", MANIFEST)]
    before = [bytearray(file.read_bytes()) for file in files]
    content = bytearray().join(before)
    for at, bit in places:
        content[at % len(content)] ^= 1 << bit
    changed = bytes(content) != bytes(bytearray().join(before))
    for file, old in zip(files, before, strict=True):
        file.write_bytes(content[: len(old)])
        del content[: len(old)]
    found, skipped = last_complete(folder)
    assert found == folder / f"checkpoint-{1 if skipped else 2}"
    assert bool(skipped) == changed


def test_a_finished_result_is_taken_without_a_process(stages: Bench, fake: Callable[..., None]) -> None:
    """What a parent that was killed between the end of its child and ``stage.json`` leaves."""
    made, folder, _ = train(stages)
    stage = made.folder.path
    before = (stage / "stage.json").read_bytes()
    (stage / "stage.json").unlink()
    (stage / "checkpoint-4").mkdir()
    (stages.workspace.home.root / "digests.json").unlink()
    log = (stage / "train.log").stat().st_size
    fake(trainer="crash", at=1)
    again, same, notes = train(stages)
    assert (same, notes, again.record.cached) == (folder, [], False)
    assert (stage / "stage.json").read_bytes() == before
    assert again.record.counts == made.record.counts
    assert (stage / "train.log").stat().st_size == log
    assert not list(stage.glob("checkpoint-*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "name", "why"),
    [
        (truncated, "model/skill.json", "skill.json has"),
        (flipped, "model/skill.json", "skill.json has changed"),
        (Path.unlink, "model/skill.json", "skill.json is missing"),
        (truncated, "result.json", "result.json cannot be read"),
        (flipped, "result.json", "result.json cannot be read"),
        (lambda path: path.write_text('{"folder": "/old", "metrics": {}}'), "result.json", "cannot be read"),
    ],
)
def test_a_damaged_result_is_not_taken(stages: Bench, spoil: Callable[[Path], Any], name: str, why: str) -> None:
    made, folder, _ = train(stages)
    before = (folder / "skill.json").read_bytes()
    (made.folder.path / "stage.json").unlink()
    spoil(made.folder.path / name)
    again, _, notes = train(stages)
    assert len(notes) == 1 and "copy-grpo-1 is trained again: " in notes[0] and why in notes[0]
    assert (folder / "skill.json").read_bytes() == before
    assert again.record.counts == made.record.counts


KILLED = """
import os, sys
from pathlib import Path
from made import bench
from openvlt.stages import train as stage
from openvlt.store import StageFolder, open_home
stages = bench(open_home(), [Path(sys.argv[1])], Path(sys.argv[2]), Path(sys.argv[3]))
rows = stages.load(n=8)
where = stage if sys.argv[4] == "remove_checkpoints" else StageFolder
setattr(where, sys.argv[4], lambda *_: os.kill(os.getpid(), 9))
stages.train(rows, "copy-grpo", stages.model, {"answer": 1.0, "format": 0.1}, steps=4)
"""


@pytest.mark.parametrize("before", ["complete", "remove_checkpoints"])
def test_a_parent_killed_after_the_end_of_its_child_loses_nothing(
    stages: Bench, fake: Callable[..., None], fake_plugin: Path, before: str
) -> None:
    words = [str(fake_plugin), str(stages.model), str(stages.log), before]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    assert subprocess.run([sys.executable, "-c", KILLED, *words], env=environment, check=False).returncode == -9
    (job,) = stages.workspace.home.stages.glob("*/job.json")
    assert len(list(job.parent.glob("checkpoint-*"))) == 4
    fake(trainer="crash", at=1)
    made, _, notes = train(stages)
    assert (made.folder.path, notes) == (job.parent, [])
    assert not list(job.parent.glob("checkpoint-*"))


HANGS = """
import sys
from pathlib import Path
from made import bench
from openvlt.store import open_home
stages = bench(open_home(), [Path(sys.argv[1])], Path(sys.argv[2]), Path(sys.argv[3]))
stages.train(stages.load(n=8), "copy-grpo", stages.model, {"answer": 1.0}, steps=4)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds child processes in /proc")
def test_the_child_and_its_verifiers_die_with_a_killed_parent(
    stages: Bench, fake: Callable[..., None], fake_plugin: Path
) -> None:
    fake(trainer="hang", at=2)
    files = [str(fake_plugin), str(stages.model), str(stages.log)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen([sys.executable, "-c", HANGS, *files], env=environment)
    deadline = time.monotonic() + 600
    while not list(stages.workspace.home.stages.glob("*/checkpoint-1/manifest.json")):
        assert time.monotonic() < deadline and parent.poll() is None
        time.sleep(0.05)
    family = _descendants(parent.pid)
    assert family
    parent.kill()
    parent.wait()
    while any(Path(f"/proc/{pid}").exists() and _state(pid) != "Z" for pid in family):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _descendants(pid: int) -> list[int]:
    own = [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]
    return own + [each for child in own for each in _descendants(child)]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/out/metrics.jsonl"), "/out/metrics.jsonl cannot be written: No"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "/job cannot be written: Disk quota exceeded."),
        (OSError(errno.EROFS, "Read-only file system"), "/job cannot be written: Read-only file system."),
        (OSError(errno.EFBIG, "File too large"), "/job cannot be written: File too large."),
        (Exception("Error while serializing: I/O error: No space left on device (os error 28)"), "No space left"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file"), "No space"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"), "No space"),
        (Exception("ranks:dict_keys([1])\n(RANK 1)\nOSError: [Errno 28] No space left on device"), "No space left"),
        (RuntimeError("ranks:dict_keys([1])\n(RANK 1)\nOSError: [Errno 2] No such file"), None),
        (OSError(errno.ENOENT, "No such file or directory", "/out/image"), None),
        (ValueError("a loss of 28"), None),
    ],
)  # fmt: skip
def test_a_full_disk_is_told_whoever_notices_it(error: Exception, told: str | None) -> None:
    wrapped = RuntimeError("while saving")
    wrapped.__cause__ = error
    error.__context__ = wrapped  # a plugin may make a circle
    for each in (error, wrapped):
        found = unwritable(each, Path("/job"))
        assert (found is None) if told is None else (found is not None and told in found.problem)


def test_a_training_that_diverges_leaves_a_readable_record_and_says_so(
    stages: Bench, fake: Callable[..., None]
) -> None:
    fake(trainer="diverge")
    made, _, notes = train(stages)
    assert notes == ["Warning: copy-grpo-1: its loss is not finite"]
    assert "loss" not in made.record.counts
    assert decode(StageRecord, encode(made.record)) == made.record


def test_a_disk_that_fills_up_during_a_training_is_a_sentence_and_costs_no_saved_step(
    stages: Bench, fake: Callable[..., None]
) -> None:
    fake(trainer="full", at=3)
    with pytest.raises(
        DataError, match=r"checkpoint-2 cannot be written: No space left.*resumes from the last checkpoint"
    ):
        train(stages)
    fake()
    made, _, _ = train(stages)
    assert [json.loads(line)["started_from"] for line in (made.folder.path / "metrics.jsonl").open()] == [0, 0, 2, 2]


def test_a_log_that_cannot_be_written_is_a_sentence(stages: Bench, fake: Callable[..., None]) -> None:
    folder = interrupted(stages, fake, 2)
    (folder / "train.log").unlink()
    (folder / "train.log").mkdir()
    with pytest.raises(DataError, match="cannot be written: Is a directory"):
        train(stages)


@given(
    lines=strategies.lists(
        strategies.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))
        | strategies.dictionaries(
            strategies.sampled_from(["step", "steps", "loss", "reward", "x"]),
            strategies.one_of(
                strategies.integers(), strategies.floats(), strategies.none(), strategies.text(max_size=3),
                strategies.lists(strategies.integers(), max_size=2),
            ),
        ).map(lambda row: json.dumps(row).encode())
    )
)  # fmt: skip
def test_a_damaged_line_of_metrics_never_ends_a_run(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("metrics") / "metrics.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in [*lines, b"[" * 100_000, b'{"step": 1e999}']))
    heard = Heard()
    metrics = _Metrics(heard, path)
    metrics.report()
    before = heard.done
    with path.open("ab") as file:
        file.write(json.dumps({"step": before + 5, "steps": before + 9}).encode() + b"\n")
    metrics.report()
    assert (heard.done, heard.total) == (before + 5, before + 9)


TELLS = '''
"""A trainer that tells which variables it sees, and leaves its model where it is asked to."""
import json, os
from dataclasses import dataclass
from pathlib import Path
from openvlt import Checkpoint, Model, Trainer, hookimpl

@hookimpl
def register_trainers(register):
    register("tells", Tells, summary="tells its environment")

@dataclass(frozen=True)
class Tells(Trainer):
    where: str = "model"
    teacher: Model | None = None
    reads = "prompts"

    def secrets(self):
        return ["TRACKER_KEY"]

    def train(self, job):
        target = job.folder / self.where
        target.mkdir(exist_ok=True)
        (target / "seen.json").write_text(json.dumps(sorted(os.environ)))
        return Checkpoint(target)
'''


def test_a_training_sees_the_secrets_it_names_and_no_others(
    stages: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "openvlt_tells.py"
    plugin.write_text(TELLS)
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, plugin])
    for name in ("AWS_SECRET_ACCESS_KEY", "TRACKER_KEY", "HF_TOKEN", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    _, folder = stages.train(stages.load(n=8), "tells", stages.model)
    seen = json.loads((folder / "seen.json").read_text())
    assert {"TRACKER_KEY", "OMP_NUM_THREADS", "PATH"} <= set(seen)
    assert not {"AWS_SECRET_ACCESS_KEY", "HF_TOKEN"} & set(seen)
    with pytest.raises(PluginError, match=r"The trainer left its model in .*, which is not a folder in .*"):
        stages.train(stages.load(n=8), "tells", stages.model, where="..")


def test_a_training_that_asks_an_endpoint_gets_the_key_of_its_host(
    stages: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "openvlt_tells.py"
    plugin.write_text(TELLS)
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, plugin])
    for name in ("TEACHER_KEY", "OTHER_KEY"):
        monkeypatch.setenv(name, "key-of-a-host")
    monkeypatch.setenv("OPENVLT_KEYS", "TEACHER_KEY@api.example.com OTHER_KEY@other.example.com")
    teacher = {"id": "big", "url": ["https://api.example.com/v1"]}
    _, folder = stages.train(stages.load(n=8), "tells", stages.model, teacher=teacher)
    seen = json.loads((folder / "seen.json").read_text())
    assert {"TEACHER_KEY", "OPENVLT_KEYS"} <= set(seen)
    assert "OTHER_KEY" not in seen


def test_damage_names_the_first_difference(tmp_path: Path) -> None:
    assert damage(tmp_path, {}) is None
    assert damage(tmp_path, {"a": [1, ""]}) == "a is missing"
