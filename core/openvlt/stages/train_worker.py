"""The child process of a train stage: ``python -m openvlt.stages.train_worker job.json``."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openvlt import system
from openvlt.errors import PASSING, DataError, OpenvltError, PluginError, printable
from openvlt.interfaces import Checkpoint, Trainer, Verifier
from openvlt.records import Claim, Example, Format, Image, Model, Trace, Verdict
from openvlt.registry import Built, Registry
from openvlt.registry.guard import reason, told
from openvlt.results import check_type
from openvlt.stages.asker import Asker
from openvlt.stages.checkpoints import ENGINE, complete, contents
from openvlt.stages.commands import run_command
from openvlt.stages.servers import serve
from openvlt.stages.training_rows import RowsOnDisk
from openvlt.stages.workspace import Workspace
from openvlt.store import Home, ImageStore, StageFolder, decode, write_atomically, write_checked, writing
from openvlt.store.stage import MOST_REASONS
from openvlt.verification import STEP_SECONDS, Reward, RewardRow, VerifierRunner, asking_among
from openvlt.verification.checking import FAULT
from openvlt.verification.runner import Tally

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_UNWRITABLE = re.compile(r"(?:\(os error |\[Errno )(\d{1,4})[)\]]|PytorchStreamWriter failed|unexpected pos \d+ vs \d+")
"""How libraries tell that they could not write: those in Rust, and torch's sharded checkpoints in the text of another
process, with the number of the system's error; torch otherwise without it (caffe2/serialize/inline_container.cc)."""


class Job:
    """What the trainer is given; see `openvlt.TrainJob`.

    Args:
        content: of ``job.json``.
        registry: builds the verifiers.
    """

    def __init__(self, content: Mapping[str, Any], registry: Registry) -> None:
        self.servers = ExitStack()
        self.model = decode(Model, json.dumps(content["model"]))
        self.format = decode(Format, json.dumps(content["format"]))
        self.folder = Path(content["folder"])
        self.seed = int(content["seed"])
        self.checkpoint = Path(content["checkpoint"]) if content.get("checkpoint") else None
        self.engine = self.folder / ENGINE
        self.rewards: Mapping[str, Any] = {
            "rewards": content["weights"],
            "routes": content["routes"],
            "verifiers": content["verifiers"],
            "format": content["format"],
            "plugins": content["files"],
        }
        self._content = content
        self._registry = registry
        self._home = Home(Path(content["home"]))
        self._images = ImageStore(self._home.images)
        self._rank = int(os.environ.get("RANK", "0"))

    @cached_property
    def _rows(self) -> RowsOnDisk:
        folder = StageFolder(Path(self._content["rows"]).parent)
        return RowsOnDisk(folder, self._content["reads"], self.format if self._content["ready"] else None)

    @cached_property
    def _reward(self) -> Reward:
        built = {name: self._registry.build(Verifier, spec) for name, spec in self._content["verifiers"].items()}
        asker = Asker(Workspace(self._home, self._registry, self.format), in_step=True)
        for each in asking_among(built).values():
            asker.open(each)
        strict = self._content.get("strict", False)
        runner = VerifierRunner(
            built, format=self.format, budget=STEP_SECONDS, ask=asker.ask, strict=strict, images=self._home.images
        )
        return Reward(runner, self._content["weights"], self._content["routes"])

    def examples(self) -> Sequence[Example]:
        return self._rows.column(itemgetter(0))

    def traces(self) -> Sequence[Trace]:
        return self._rows.column(lambda row: row[1][0])

    def pairs(self) -> Sequence[tuple[Trace, Trace]]:
        return self._rows.column(itemgetter(1))

    def read(self, image: Image) -> Picture:
        return self._images.read(image)

    def content(self, image: Image) -> bytes:
        return self._images.content(image)

    def reward(self, claims: Sequence[Claim]) -> list[RewardRow]:
        rows = self._reward.score(claims)
        lines = [_record(claim, row) for claim, row in zip(claims, rows, strict=True)]
        with (self.folder / f"completions-{self._rank}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        _check_any(claims, rows)
        return rows

    def log(self, metrics: Mapping[str, float]) -> None:
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def run(
        self, command: Sequence[str], watch: Callable[[], None] = lambda: None, environment: Mapping[str, str] = {}
    ) -> None:
        self.engine.mkdir(exist_ok=True)
        run_command(command, self.engine, self.folder / "engine.log", watch, environment)

    def serve(self, command: Sequence[str], environment: Mapping[str, str] = {}) -> None:
        self.servers.callback(serve(command, self.folder / "server.log", environment, self._died))

    def _died(self, error: OpenvltError) -> None:
        """End this process, which may wait for its server for ever."""
        _write_error(self.folder, error)
        os._exit(error.exit_code)

    def saved(self, checkpoint: Path) -> None:
        complete(checkpoint, self.folder)


def _check_any(claims: Sequence[Claim], rows: Sequence[RewardRow]) -> None:
    """Refuse to go on where verifiers failed and so no claim has a reward: the training would learn from nothing.

    Raises:
        PluginError: the first failure of a verifier, in its own words.
    """
    if any(row.reward is not None for row in rows):
        return
    for claim, row in zip(claims, rows, strict=True):
        for verdict in row.verdicts.values():
            if verdict.tier == FAULT:
                raise PluginError(
                    f"No response of this generation got a reward: the {verdict.reason}, on row {claim.example.id}.",
                    "Fix it there, or report it to the plugin's author; the run resumes from the last checkpoint.",
                )


@dataclass(frozen=True, slots=True)
class _Line:
    """What is read back of a line of completions."""

    id: str
    verdicts: Mapping[str, Verdict]


def _tallies(folder: Path) -> dict[str, Tally]:
    """Verdicts of the whole training, by verifier: of all processes, and of those before a resume."""
    tallies: dict[str, Tally] = {}
    for path in sorted(folder.glob("completions-*.jsonl")):
        with path.open("rb") as lines:
            for line in lines:
                try:
                    found = decode(_Line, line)
                except ValueError:  # damaged
                    continue
                for name, verdict in found.verdicts.items():
                    tallies.setdefault(name, Tally()).add(verdict, found.id)
    return tallies


def _record(claim: Claim, row: RewardRow) -> dict[str, Any]:
    told = ("status", "score", "cause", "reason", "tier")
    verdicts = {name: {key: getattr(verdict, key) for key in told} for name, verdict in row.verdicts.items()}
    return {
        "id": claim.example.id,
        "group": claim.group,
        "response": claim.response,
        "answer": claim.answer,
        "gold": claim.example.answer,
        "finish_reason": claim.trace.finish_reason,
        "reward": row.reward,
        "verdicts": verdicts,
    }


def run(path: Path) -> None:
    """Carry out a job; the result, or an error the user can act on, is written to its folder."""
    content = json.loads(path.read_bytes())
    folder = Path(content["folder"])
    trainer: Built[Trainer] | None = None
    try:
        registry = Registry.discover([Path(file) for file in content["files"]])
        trainer = registry.build(Trainer, content["trainer"])
        job = Job(content, registry)
        with job.servers:
            trained = check_type(trainer.component.train(job), Checkpoint, "a Checkpoint")
        if int(os.environ.get("RANK", "0")) == 0:
            _write_result(folder, trained)
    except OpenvltError as error:
        _write_error(folder, error)
        sys.exit(error.exit_code)
    except PASSING:
        raise
    except BaseException as error:
        _write_error(folder, unwritable(error, folder) or error, trainer)
        raise


def _write_result(folder: Path, trained: Checkpoint) -> None:
    """Write ``result.json``, after the model is on disk: from now on nothing is trained again."""
    model = trained.folder.resolve()
    if not model.is_dir() or not model.is_relative_to(folder.resolve()):
        raise PluginError(
            f"The trainer left its model in {trained.folder}, which is not a folder in {folder}.",
            "A trainer has to save its model in the folder of its job.",
        )
    with writing(model):
        files = contents(model)
    tallies = _tallies(folder)
    counts = {
        f"{name}/{status}": float(count) for name, tally in tallies.items() for status, count in tally.statuses.items()
    }
    faults = sum((tally.faults for tally in tallies.values()), Counter[str]())
    # JSON has no other numbers, and one of a training that diverged must not make the record of its run unreadable.
    metrics = {name: float(value) for name, value in trained.metrics.items() if math.isfinite(value)}
    concerns = [f"verifier '{name}': {each}" for name, tally in tallies.items() for each in tally.concerns]
    result = {
        "model": model.relative_to(folder.resolve()).as_posix(),
        "files": files,
        "metrics": {**metrics, **counts},
        "faults": dict(faults.most_common(MOST_REASONS)),
        "concerns": [*concerns, *(f"its {name} is not finite" for name in trained.metrics if name not in metrics)],
    }
    write_checked(folder / "result.json", result)


def _write_error(folder: Path, error: BaseException, trainer: Built[Trainer] | None = None) -> None:
    """Tell the parent, which of several processes believes the first: the others fail because of it."""
    if isinstance(error, OpenvltError):
        content = {"type": type(error).__name__, "problem": error.problem, "remedy": error.remedy}
    else:
        content = {"crash": reason(trainer, "train", error) if trainer else told(error)}
    path = folder / f"error-{os.environ.get('RANK', '0')}.json"
    write_atomically(path, json.dumps({**content, "time": time.time()}).encode())


def unwritable(error: BaseException, folder: Path) -> DataError | None:
    """The error that the disk is full or read-only, if that is what ended a training; None if not."""
    cause: BaseException | None = error
    passed: list[BaseException] = []  # a chain may be a circle
    while cause is not None and cause not in passed:
        passed.append(cause)
        number = cause.errno if isinstance(cause, OSError) else None
        if number is None and (named := _UNWRITABLE.search(printable(cause))):
            number = int(named[1] or errno.ENOSPC)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            where = getattr(cause, "filename", None) or folder
            return DataError(
                f"{where} cannot be written: {os.strerror(number)}.",
                "Free some space there and run the same command again; it resumes from the last checkpoint.",
            )
        cause = cause.__cause__ or cause.__context__
    return None


if __name__ == "__main__":
    system.die_with_parent()
    run(Path(sys.argv[1]))
