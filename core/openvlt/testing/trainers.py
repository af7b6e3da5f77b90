"""What trainers must keep, and the job that they are given for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

from openvlt import results
from openvlt.engines import model_shape
from openvlt.errors import OpenvltError, WrongResult
from openvlt.interfaces import Checkpoint, Gpus, Reads, Trainer, Workload
from openvlt.records import Claim, Example, Format, Image, Model, Rejected, Trace, Verdict
from openvlt.testing.findings import FAILED, Probe, of, typed
from openvlt.testing.material import FORMAT, Material, colour_of, content, judged, read

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_COUNTS = ("batch_rows", "processes", "machines", "devices_used", "server_devices")
_GPUS = Gpus(8, 80 << 30)


@dataclass(frozen=True)
class Paid:
    """The reward of a claim; see `openvlt.Rewarded`."""

    reward: float | None
    verdicts: Mapping[str, Verdict]


@dataclass
class MadeJob:
    """A job in this process, on made examples; see `openvlt.TrainJob`.

    Attributes:
        logged: metrics that were logged.
        paid: claims that were rewarded.
        checkpoints: folders that were completed.
        failed: errors of servers that ended by themselves.
        servers: what ends the others.
    """

    trainer: Trainer
    model: Model
    folder: Path
    material: Material
    format: Format = FORMAT
    seed: int = 0
    checkpoint: Path | None = None
    rewards: Mapping[str, Any] = field(default_factory=dict)
    logged: list[Mapping[str, float]] = field(default_factory=list)
    paid: list[Claim] = field(default_factory=list)
    checkpoints: list[Path] = field(default_factory=list)
    failed: list[OpenvltError] = field(default_factory=list)
    servers: ExitStack = field(default_factory=ExitStack)
    engine: Path = field(init=False)

    def __post_init__(self) -> None:
        self.engine = self.folder / "engine"

    def examples(self) -> Sequence[Example]:
        wanted = max(self.trainer.batch_rows(), len(self.material.examples))
        found = self.material.examples
        return [found[place % len(found)] for place in range(wanted)]

    def traces(self) -> Sequence[Trace]:
        self._allow("traces")
        return [judged(example)[0].trace for example in self.examples()]

    def pairs(self) -> Sequence[tuple[Trace, Trace]]:
        self._allow("pairs")
        found = [judged(example) for example in self.examples()]
        return [(each[0].trace, each[3].trace) for each in found]

    def read(self, image: Image) -> Picture:
        return read(image)

    def content(self, image: Image) -> bytes:
        return content(colour_of(image))

    def reward(self, claims: Sequence[Claim]) -> Sequence[Paid]:
        """A verifier's score: more for the gold answer, and for words of the response that others do not have."""
        if not self.trainer.rewarded:
            raise WrongResult("it asks for rewards, but `rewarded` is False")
        self.paid += claims
        scores = [float(each.answer == each.example.answer) or len(set(each.response)) / 1000 for each in claims]
        return [Paid(score, {"answer": Verdict.scored(min(1.0, score))}) for score in scores]

    def log(self, metrics: Mapping[str, float]) -> None:
        self.logged.append(metrics)

    def run(
        self, command: Sequence[str], watch: Callable[[], None] = lambda: None, environment: Mapping[str, str] = {}
    ) -> None:
        from openvlt.stages.commands import run_command

        self.engine.mkdir(exist_ok=True)
        run_command(command, self.engine, self.folder / "engine.log", watch, environment)

    def serve(self, command: Sequence[str], environment: Mapping[str, str] = {}) -> None:
        from openvlt.stages.servers import serve

        self.servers.callback(serve(command, self.folder / "server.log", environment, self.failed.append))

    def saved(self, checkpoint: Path) -> None:
        if checkpoint.parent != self.folder or not checkpoint.name.startswith("checkpoint-"):
            raise WrongResult(f"it completed the checkpoint {checkpoint.name}, not a folder checkpoint-N of its job")
        self.checkpoints.append(checkpoint)

    def _allow(self, what: Reads) -> None:
        if self.trainer.reads != what:
            raise WrongResult(f"it asks for {what}, but reads '{self.trainer.reads}'")


def trainer(probe: Probe[Trainer], material: Material) -> None:
    """A model in the folder of the job; resumed from its last checkpoint it ends too."""
    component = probe.component
    if component.reads not in get_args(Reads):
        probe.wrong("claims", f"It reads '{component.reads}'.", "Let `reads` be traces, pairs or prompts.")
        return
    calls = {name: of(name, check=results.check_number) for name in _COUNTS}
    calls["savings"] = of("savings", check=lambda found: list(map(typed(Mapping, "options"), found)))
    calls["secrets"] = of("secrets", check=lambda found: list(map(typed(str, "a name"), found)))
    if shape := model_shape(material.the_model()):
        work = Workload(prompt=512, reply=512, image=256, gpus=_GPUS)
        calls["planned_gpus"] = of("planned_gpus", _GPUS, check=results.check_planned_gpus)
        calls["memory"] = of("memory", shape, work, check=results.check_memory)
        calls["server_memory"] = of("server_memory", shape, work, check=results.check_memory)
        calls["hours"] = of("hours", shape, work, 1000, check=results.check_hours)
        calls["memory_note"] = of("memory_note", shape, work, check=results.check_note)
    found = probe.laws(calls)
    if found["batch_rows"] is FAILED:
        return
    probe.call("check_machine", component.check_machine)
    with TemporaryDirectory() as folder:
        _train(probe, material, Path(folder))


def _train(probe: Probe[Trainer], material: Material, folder: Path) -> None:
    model = material.the_model()
    before = _files(Path(model.id))
    (folder / "job").mkdir()
    job = MadeJob(probe.component, model, folder / "job", material)
    with job.servers:
        trained = probe.call("train", lambda: _trained(probe.component.train(job), job))
    for metrics in job.logged:
        probe.call("what it logs", lambda: results.check_figures(metrics))  # noqa: B023
    if _files(Path(model.id)) != before:
        probe.wrong("purity", "It changes the model that it starts from.", "Write into `job.folder` alone.")
    if trained is FAILED or isinstance(trained, Rejected):
        return
    if probe.component.rewarded and not job.paid:
        probe.wrong("claims", "`rewarded` is True, but it never asks for a reward.", "Remove `rewarded`.")
    if job.checkpoints:
        shutil.rmtree(trained.folder, ignore_errors=trained.folder in job.checkpoints)
        resumed = MadeJob(probe.component, model, job.folder, material, checkpoint=job.checkpoints[0])
        with resumed.servers:
            probe.call("train, resumed from a checkpoint", lambda: _trained(probe.component.train(resumed), resumed))


def _trained(found: Any, job: MadeJob) -> Checkpoint:
    made = results.check_type(found, Checkpoint, "a Checkpoint")
    if not made.folder.is_dir() or not made.folder.resolve().is_relative_to(job.folder.resolve()):
        raise WrongResult(f"it left its model in {made.folder}, which is not a folder in `job.folder`")
    results.check_figures(made.metrics)
    return made


def _files(folder: Path) -> dict[str, bytes]:
    from hashlib import sha256

    return {str(file): sha256(file.read_bytes()).digest() for file in folder.rglob("*") if file.is_file()}
