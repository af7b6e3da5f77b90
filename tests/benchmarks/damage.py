"""One random damage anywhere in a finished home, and the same command again: equal, or a sentence that names the file.

``python tests/benchmarks/damage.py [--cases 1000] [--seed 0] [--only CASE]``. A loop and a benchmark are carried out once
with an engine that answers at once. Each case puts that home back, truncates, flips a bit of or deletes one file of it
(half of the flips keep the file's time, as a failing disk does), gives the same command again, and ``openvlt runs
verify``. In half of the cases a stage that uses the file is not done any more: the outputs made of cached values and
images are gone, or the ``stage.json`` beside the file. It ends in one of three ways:

    equal     scores, rows and models are those of the undisturbed home
    sentence  the command or ``verify`` failed and named the file; once that, or what the sentence says, is deleted, the
              same command ends equal
    wrong     anything else: another number or row, a traceback, a sentence without the file or that does not help
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from loop import NAME, ROWS, Loop, differences, outputs, record

USED = ("values", "images", "stages")
"""Folders whose files are used only while a stage is carried out, its output apart."""
COMPUTED = ("caption", "distill", "verify", "bench")
"""Stages whose outputs are made of cached values."""
DELETE = re.compile(r"delete (/\S+?)[.,]?(?:\s|$)")
BENCH = ("bench", "made", "--model", f"run:{NAME}/sft-1")


@dataclass(frozen=True)
class Case:
    """One damage.

    Attributes:
        path: of the file, within the home.
        kind: of file.
        way: ``truncated``, ``flipped``, ``flipped, time kept`` or ``deleted``.
        place: where, as a share of its bytes.
        needed: stages are not done, so that the file is used.
    """

    path: Path
    kind: str
    way: str
    place: float
    needed: bool

    @classmethod
    def draw(cls, files: Mapping[str, list[Path]], chance: random.Random) -> Case:
        """Draw a kind, then one of its files, then what happens to it."""
        kind = chance.choice(sorted(files))
        path, way = chance.choice(files[kind]), chance.choice(["truncated", "flipped", "flipped, time kept", "deleted"])
        output = kind in ("lock", "stage's rows.jsonl", "stage's stage.json")
        needed = not output and path.parts[0] in USED and chance.random() < 0.5
        return cls(path, kind, way, chance.random(), needed)

    def apply(self, home: Path) -> None:
        """Damage the file."""
        path = home / self.path
        if self.needed and self.path.parts[0] == "stages":
            (home / Path(*self.path.parts[:2]) / "stage.json").unlink()
        elif self.needed:
            for stage in record(home)["stages"]:
                if stage["stage_kind"] in COMPUTED:
                    (home / stage["folder"] / "rows.jsonl").unlink(missing_ok=True)
        content, stat = bytearray(path.read_bytes()), path.stat()
        if self.way == "deleted":
            path.unlink()
        elif self.way == "truncated":
            os.truncate(path, int(self.place * len(content)))
        elif content:
            bit = int(self.place * len(content) * 8)
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
            if self.way == "flipped, time kept":
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def __str__(self) -> str:
        return f"{self.path} {self.way} at {self.place:.3f}{', used' * self.needed}"


def kind_of(path: Path) -> str:
    """The kind of a file of a home."""
    folder = path.parts[0]
    if path.suffix == ".lock":
        return "lock"
    if folder == "runs" and path.parts[1] != NAME:
        return "bench's run"
    if folder == "images":
        return "image"
    if folder == "values":
        return {".jsonl": "values", ".sqlite": "index"}.get(path.suffix, "index log")
    if folder == "stages" and len(path.parts) > 3:
        return "model" if path.parts[2] == "model" else "checkpoint"
    return f"{folder.removesuffix('s')}'s {path.name}" if len(path.parts) > 2 else path.name


def judge(loop: Loop, case: Case, whole: Mapping[str, bytes]) -> tuple[str, str]:
    """Give the command again in a damaged home; returns how it ended, and of a wrong end what is wrong."""
    command = BENCH if case.kind == "bench's run" else ()
    said = ""
    for attempt in ("damaged", "deleted"):
        code, words = loop.run(*command)
        checked, more = loop.run("runs", "verify", NAME)
        said = words + more
        if unexpected := [line for line in said.splitlines() if "unexpected" in line or "Traceback" in line]:
            return "wrong", unexpected[0]
        different = _different(loop.home, whole)
        if code == 0 and not different and (checked == 0 or attempt == "damaged"):
            return ("equal", "") if attempt == "damaged" else ("sentence", "")
        if attempt == "deleted":
            return "wrong", f"the file is deleted, and still: {_last(said) if code or checked else different}"
        if code == 0 and checked == 0:
            return "wrong", f"silently different: {'; '.join(different[:4])}"
        if not _names(said, loop.home / case.path):
            return "wrong", f"the file is not named: {_last(words if code else more)}"
        _delete(Path(found[1]) if (found := DELETE.search(said)) else loop.home / case.path)
    raise AssertionError


def _delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _different(home: Path, whole: Mapping[str, bytes]) -> list[str]:
    try:
        now = everything(home)
        return [f"{name} {_change(whole, now, name)}" for name in differences(whole, now)]
    except (ValueError, OSError, KeyError) as error:
        return [repr(error)]


def _change(before: Mapping[str, bytes], after: Mapping[str, bytes], name: str) -> str:
    """The first lines of a file that are not the same."""
    sides = (side.get(name, b"").decode(errors="replace").splitlines() for side in (before, after))
    changed = next(((one, other) for one, other in zip_longest(*sides) if one != other), ("", ""))
    return " became ".join(str(line)[:100].strip() for line in changed)


def everything(home: Path) -> dict[str, bytes]:
    """Scores, rows and models of the loop, and the scores of the benchmark's own run."""
    found = outputs(home, ROWS)
    for path in home.glob("runs/*/result.json"):
        found[path.parent.name] = json.dumps(json.loads(path.read_bytes()), sort_keys=True).encode()
    return found


def _names(said: str, path: Path) -> bool:
    """True if a text names a file, or its folder where that is a stage's, a component's or a model's."""
    return path.name in said or str(path.parent) in said


def _last(said: str) -> str:
    return said.splitlines()[-1][:300] if said else "nothing was said"


def finished(loop: Loop, pristine: Path) -> None:
    """Carry out the loop and the benchmark, and keep their home, with logs that the indexes have not taken in yet."""
    for words in ((), BENCH, ()):
        code, said = loop.run(*words)
        assert code == 0, said
    with ExitStack() as open_indexes:
        for path in loop.home.glob("values/*/index.sqlite"):
            index = open_indexes.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
            index.execute("INSERT INTO row VALUES (x'00', 1, 0, 1)")
            index.execute("DELETE FROM row WHERE key = x'00'")
        shutil.copytree(loop.home, pristine)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this case alone")
    options = parser.parse_args()
    table, started = defaultdict[str, Counter[str]](Counter), time.monotonic()
    with TemporaryDirectory() as name:
        loop, pristine = Loop(Path(name)).write(24), Path(name) / "pristine"
        finished(loop, pristine)
        whole, files = everything(pristine), defaultdict[str, list[Path]](list)
        for path in sorted(path.relative_to(pristine) for path in pristine.rglob("*") if path.is_file()):
            files[kind_of(path)].append(path)
        for number in range(options.cases) if options.only is None else [options.only]:
            shutil.rmtree(loop.home)
            shutil.copytree(pristine, loop.home)
            case = Case.draw(files, random.Random(f"{options.seed}/{number}"))
            case.apply(loop.home)
            end, why = judge(loop, case, whole)
            table[case.kind][end] += 1
            if end == "wrong":
                print(f"--seed {options.seed} --only {number}: {case}: {why}", flush=True)
    print(f"{'file':24} {'equal':>8} {'sentence':>8} {'wrong':>8}")
    total = sum(table.values(), Counter[str]())
    for kind, ends in [*sorted(table.items()), ("all", total)]:
        print(f"{kind:24} {ends['equal']:8} {ends['sentence']:8} {ends['wrong']:8}")
    print(f"{time.monotonic() - started:.0f} s")
    return bool(total["wrong"])


if __name__ == "__main__":
    sys.exit(main())
