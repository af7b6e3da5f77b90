"""The child process of a training, seen from its parent: its environment, progress, end, and what its death means."""

from __future__ import annotations

import json
import math
import re
import signal
import time
from pathlib import Path

from openvlt import errors, system
from openvlt.errors import OpenvltError
from openvlt.stages.launch import GRACE_SECONDS, ROLE, end, started
from openvlt.stages.progress import Progress
from openvlt.store import write_atomically, writing

_PROBE = 64 * 1024
SHOWN = ("reward", "loss", "rewards/margins", "completions/mean_length", "mean_token_accuracy")


def run_child(command: list[str], environment: dict[str, str], folder: Path, stage: str, progress: Progress) -> None:
    """Run the child until it has written ``result.json``, and report its metrics.

    Args:
        command: of the child.
        environment: of the child.
        folder: of the stage; what the child prints is appended to ``train.log``.
        stage: its name, for messages.
        progress: receives the metrics.

    Raises:
        OpenvltError: the error of the trainer, or how the child died.
    """
    with writing(folder):
        for error in folder.glob("error-*.json"):
            error.unlink()
        log = (folder / "train.log").open("ab")
    with log:
        child = started(command, environment, log)
        metrics = _Metrics(progress, folder / "metrics.jsonl")
        try:
            while child.poll() is None:
                metrics.report()
                time.sleep(0.25)
            metrics.report()
        except KeyboardInterrupt:
            progress.note(f"{stage} has {GRACE_SECONDS:g} s to save a checkpoint and end.")
            raise
        finally:
            end(child)
    if not (folder / "result.json").exists():
        raise _failure(folder, stage, child.returncode)


class _Metrics:
    """Reports the metrics that a child appends to a file; a line that cannot be read is not shown."""

    def __init__(self, progress: Progress, path: Path) -> None:
        self._progress = progress
        self._path = path
        self._at = 0
        self._step = 0
        self._total = 0

    def report(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):  # the child is still writing it
                    break
                self._at += len(line)
                self._show(_numbers(line))

    def _show(self, metrics: dict[str, float]) -> None:
        if (total := int(metrics.get("steps", self._total))) != self._total:
            self._total = total
            self._progress.begin("", total, "steps")
        step = max(self._step, int(metrics.get("step", self._step)))
        self._progress.advance(step - self._step, **{key: metrics[key] for key in SHOWN if key in metrics})
        self._step = step


def _numbers(line: bytes) -> dict[str, float]:
    """The finite numbers of a line of metrics; none if it is damaged."""
    try:
        metrics = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    known = metrics.items() if isinstance(metrics, dict) else ()
    return {key: value for key, value in known if isinstance(value, int | float) and math.isfinite(value)}


def _failure(folder: Path, stage: str, code: int) -> OpenvltError:
    """Why there is no result: the error the child wrote, or how it died; of several processes the first that failed."""
    log, fix = folder / "train.log", ""
    last = _last_words(log)
    silent = _died_first(folder, last)
    written = [json.loads(path.read_bytes()) for path in folder.glob("error-*.json")]
    if written and not silent:
        error = min(written, key=lambda each: each["time"])
        if "problem" in error:
            error_type: type[OpenvltError] = getattr(errors, error["type"], OpenvltError)
            return error_type(error["problem"], error["remedy"])
        cause, fix = f"ended with code {code}: {error['crash']}", " Fix it there, or report it to the plugin's author;"
    else:
        lines = [line.strip() for line in last.splitlines() if line.strip()]
        if silent:
            process, code = silent
            prefix = f"[{ROLE}{process}]:"
            lines = [text for line in lines if line.startswith(prefix) and (text := line.removeprefix(prefix).strip())]
        hint = " (out of memory?)" if code == system.KILLED else ""
        said = lines[-1] if lines else "it wrote no message"
        cause = f"was killed by signal {-code}{hint}" if code < 0 else f"ended with code {code}: {said}"
        if code >= 0:
            probe = folder / "error.json"
            write_atomically(probe, b" " * _PROBE)  # a child that cannot write cannot say so either
            probe.unlink()
    return OpenvltError(
        f"The training process of {stage} {cause.rstrip('.')}.",
        f"See {log}{'.' if fix else ';'}{fix} the same command resumes from the last checkpoint.",
    )


def _died_first(folder: Path, log: str) -> tuple[str, int] | None:
    """The process that died before the others without writing why, and its exit code; None if there is none.

    The others fail because of it, and do write something: that their connection was closed. What started them lists,
    as its last words, when each was seen to have ended; those ended by itself have SIGTERM's code.
    """
    seen = r"time +: (\S+)\n.*\n  rank +: (\d+) \(local_rank: (\d+)\)\n  exitcode +: (-?\d+)"
    failures = re.findall(seen, log.rpartition(" FAILED\n")[2])
    for time_of_death, rank, process, code in failures:
        first = time_of_death == min(failures)[0] and int(code) != -signal.SIGTERM
        if first and not (folder / f"error-{rank}.json").exists():
            return process, int(code)
    return None


def _last_words(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _PROBE))
        return file.read().decode(errors="replace")
