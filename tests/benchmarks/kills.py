"""A loop that is killed again and again ends with the bytes of one that never was, and loses no record meanwhile.

``python tests/benchmarks/kills.py [--kills 200] [--real] [--examples N] [--seed N]``. At random moments of load, caption,
distill, verify, select, training, bench and score of two iterations, and of re-runs of the finished loop, SIGKILL ends
the command, the training process or a verifier worker, or SIGTERM the command; the same command is given again each
time, and at last left to end. In between and meanwhile ``openvlt runs prune --yes`` runs. Checked are: every output, and
the record, without times, is that of an undisturbed run; a kill takes no stage and no score from the record; what is
pruned is nothing that the record has. Without ``--real`` nothing computes and the command is a forked child; with it a
tiny model and TRL's trainers work, through ``python -m openvlt``.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from loop import Loop, differences, outputs, record

VICTIMS = {
    "command": ("", signal.SIGKILL),
    "command, asked to end": ("", signal.SIGTERM),
    "training": ("openvlt.stages.train_worker", signal.SIGKILL),
    "worker": ("openvlt.verification.worker", signal.SIGKILL),
}
RERUNS = 3
"""Kills of the finished loop's command, after those of a loop."""


@dataclass
class Kills:
    """Kills of one loop after another.

    Attributes:
        loop: the command.
        whole: the outputs of an undisturbed run.
        chance: decides when what is killed.
        gap: mean seconds between kills.
        wanted: kills in all.
        victims: kills by what was killed.
        stages: kills by the stage that was at work.
        faults: what must not be, by what it is.
    """

    loop: Loop
    whole: Mapping[str, bytes]
    chance: random.Random
    gap: float
    wanted: int
    victims: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    pruned: int = 0

    def disturb(self) -> None:
        """Kill one loop until it is done, and then its re-runs; leave the last to end, and compare."""
        shutil.rmtree(self.loop.home, ignore_errors=True)
        done, reruns = False, 0
        while self.victims.total() < self.wanted and reruns < RERUNS:
            killed = self._command(done)
            reruns += done and killed
            done = done or record(self.loop.home).get("status") == "done"
            if not killed and not done:
                break
            if self.chance.random() < 0.3:
                self._prune()
        code, said = self.loop.run()
        if code:
            self._fault(f"at last: {said.splitlines()[-1]}")
        for name in differences(self.whole, outputs(self.loop.home)):
            self._fault(f"{name} differs")

    def _command(self, done: bool) -> bool:
        """Give the command once, and kill until it has ended; True if anything was killed."""
        before, count, last = record(self.loop.home), self.victims.total(), ""
        gap = self.gap / 8 if done else self.gap
        command = self.loop.start()
        while not _ends(command, 60 if last.startswith("command") else self.chance.expovariate(1 / gap)):
            if last.startswith("command"):
                self._fault(f"{last}: it went on for a minute")
                os.kill(command, signal.SIGKILL)
            elif self.chance.random() < 0.1:
                self._prune()
            elif self.victims.total() < self.wanted:
                last = self._kill(command, done)
        os.waitpid(command, 0)
        self._compare(before, record(self.loop.home))
        if "unexpected" in (said := self.loop.said().read_text(errors="replace")) or "Traceback" in said:
            self._fault(said.splitlines()[-1])
        return self.victims.total() > count

    def _kill(self, command: int, done: bool) -> str:
        """Kill something of the command, as soon as it has such; returns what, empty if it ended before.

        Args:
            command: the process.
            done: the loop is, so that the command starts no others.
        """
        likely = {name: 3 if words else 1 for name, (words, _) in VICTIMS.items() if not (done and words)}
        (name,) = self.chance.choices(list(likely), list(likely.values()))
        words, number = VICTIMS[name]
        delay = self.chance.choice([0.0, self.chance.uniform(0, 0.5)])  # at once: it is still starting
        while not _ends(command, 0.005) and not _victims(command, words):
            pass
        _ends(command, delay if words else 0)
        run, among = record(self.loop.home), _victims(command, words)
        if not among:
            return ""
        with suppress(ProcessLookupError):
            os.kill(self.chance.choice(among), number)
            self.victims[name] += 1
            self.stages[_at(run)] += 1
        return name

    def _compare(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """What a record has it keeps."""
        for what, name in (("stages", "name"), ("scores", "stage")):
            lost = {each[name] for each in before.get(what, ())} - {each[name] for each in after.get(what, ())}
            if lost:
                self._fault(f"{what} lost from the record")

    def _prune(self) -> None:
        """Prune as a user would; what the record has must be there afterwards."""
        had = [stage["folder"] for stage in record(self.loop.home).get("stages", ())]
        had = [folder for folder in had if (self.loop.home / folder / "stage.json").exists()]
        code, said = self.loop.run("runs", "prune", "--yes")
        self.pruned += 1
        if code:
            self._fault(f"prune: {said}")
        if any(not (self.loop.home / folder / "stage.json").exists() for folder in had):
            self._fault("prune deleted what the record has")

    def _fault(self, what: str) -> None:
        if not self.faults[what]:
            print(f"after {self.victims.total()} kills: {what}", file=sys.stderr, flush=True)
        self.faults[what] += 1


def _victims(command: int, words: str) -> list[int]:
    """The command itself, or the processes below it whose command lines have these words."""
    return [each for each in _below(command) if words in _words(each)] if words else [command]


def _below(process: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    parents = dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
    found = [process]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def _words(process: int) -> str:
    """The command line of a process."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _at(run: Mapping[str, Any]) -> str:
    """The kind of stage that a run was at, told from its record."""
    planned, done = run.get("planned", ()), len(run.get("stages", ()))
    if not planned:
        return "start"
    return str(planned[done].partition("-")[0]) if done < len(planned) else "re-run"


def _ends(process: int, seconds: float) -> bool:
    """Wait for the end of a child for so long; it is not reaped yet."""
    until = time.monotonic() + seconds
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--real", action="store_true", help="with a tiny model and real trainings")
    parser.add_argument("--examples", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        loop = Loop(Path(name), options.real, seconds=0.03).write(options.examples or (6 if options.real else 100))
        started = time.monotonic()
        code, said = loop.run()
        assert code == 0, said
        needed = time.monotonic() - started
        kills = Kills(loop, outputs(loop.home), random.Random(options.seed), needed / 4, options.kills)
        loops = 0
        while kills.victims.total() < options.kills:
            kills.disturb()
            loops += 1
    print(
        f"{kills.victims.total()} kills in {loops} loops of {needed:.0f} s, {kills.pruned} prunes between and meanwhile"
    )
    for what, counts in (("victims", kills.victims), ("stages", kills.stages)):
        print(f"{what}: {', '.join(f'{count} {name}' for name, count in counts.most_common())}")
    for fault, count in kills.faults.most_common():
        print(f"fault, {count} times: {fault}")
    if not kills.faults:
        print("all outputs are byte-identical, and no record lost anything")
    return bool(kills.faults)


if __name__ == "__main__":
    sys.exit(main())
