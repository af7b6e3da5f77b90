"""What may happen to a machine in the days a distillation takes; row by row it is in test_row_store.py."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made import Bench

from openvlt.errors import DataError
from openvlt.store.writing import write_atomically

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_a_dozen_kills_of_the_loop_change_no_byte_and_lose_no_record() -> None:
    done = _benchmark("kills.py", "--kills", "12", "--examples", "40")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("12 kills") and "all outputs are byte-identical" in done.stdout


@pytest.mark.slow
def test_a_dozen_damages_of_a_home_give_no_other_number() -> None:
    done = _benchmark("damage.py", "--cases", "12")
    assert done.returncode == 0, done.stdout + done.stderr


def _benchmark(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCHMARKS / script, *options], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_kills_while_an_endpoint_is_asked_change_no_finished_row() -> None:
    done = _benchmark("kills_engines.py", "openai", "4", "120")
    assert done.returncode == 0, done.stderr
    assert "every key exactly once, no finished row changed" in done.stdout


def test_the_lock_of_a_process_that_died_holds_nobody_up(stages: Bench) -> None:
    step = stages.load(n=10).record.fingerprint
    lock = stages.workspace.home.stages / f"{step}.lock"
    dead = f"from filelock import FileLock; import os; FileLock({str(lock)!r}).acquire(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", dead], check=False).returncode == 9
    assert lock.exists()
    assert stages.load(n=10).record.out == 10


@pytest.mark.parametrize("year", [1971, 2037])
def test_a_clock_that_jumps_changes_no_key(stages: Bench, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    stages.verify(stages.distill(stages.load(n=10)))
    assert len(stages.asked()) == 20
    moment = (year - 1970) * 31_556_952.0
    for path in stages.workspace.home.root.rglob("*"):
        os.utime(path, (moment, moment))
    monkeypatch.setattr(time, "time", lambda: moment)
    assert stages.verify(stages.distill(stages.load(n=10))).record.cached
    stages.distill(stages.load(n=12))
    assert len(stages.asked()) == 4


def test_a_plugin_that_raises_its_version_is_asked_again(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = stages.load(n=10)
    first = stages.distill(rows)
    stages.asked()
    teacher = type(stages.build("teacher", "tutor", model={"id": str(stages.model), "backend": "fake"}).component)
    assert stages.distill(rows).record.cached
    monkeypatch.setattr(teacher, "version", "2")
    assert stages.distill(rows).record.fingerprint != first.record.fingerprint
    assert len(stages.asked()) == 20
    monkeypatch.setattr(teacher, "version", "1")
    assert stages.distill(rows).digest == first.digest
    assert not stages.asked()


def test_a_file_that_does_not_fit_leaves_the_old_one_alone(tmp_path: Path) -> None:
    path, (soft, hard) = tmp_path / "file", resource.getrlimit(resource.RLIMIT_FSIZE)
    write_atomically(path, b"old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DataError, match="Free some space"):
            write_atomically(path, b"new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [(each, each.read_bytes()) for each in tmp_path.iterdir()] == [(path, b"old")]


FILL = """
import resource, sys
from pathlib import Path
from made import bench
from openvlt.errors import DataError
from openvlt.store import open_home
stages = bench(open_home(), [Path(sys.argv[1])], Path(sys.argv[2]), Path(sys.argv[3]))
rows = stages.load(n=200)
try:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
    stages.distill(rows)
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [70_000, 100_000])
def test_a_disk_that_fills_up_ends_the_stage_and_keeps_its_rows(
    stages: Bench, tmp_path: Path, fake_plugin: Path, limit: int
) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"OPENVLT_HOME": str(tmp_path / "home"), "PYTHONPATH": path}
    files = [str(fake_plugin), str(stages.model), str(tmp_path / "log")]
    command = [sys.executable, "-c", FILL, *files, str(limit)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "cannot be written" in done.stdout and "Free some space" in done.stdout, (done.stdout, done.stderr)
    stages.asked()
    assert stages.distill(stages.load(n=200)).record.out == 200
    assert len(stages.asked()) < 400
