"""Engines in actors of a Ray cluster: whichever is free takes the next chunk of a stage.

Ray places the actors, restarts one that dies and retries its chunk. Prompts, parsing, rows and counts stay in the
process of the run, so that its outputs are those of a local run.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

from openvlt.engines.executor import Local
from openvlt.engines.resolution import Resolved
from openvlt.errors import OpenvltError, RemoteError, UsageError
from openvlt.interfaces import Backend, Engine, Request
from openvlt.recipe import ExecutorSpec
from openvlt.records import Completion, Image, Model, Rejected, Sampling
from openvlt.registry import Registry
from openvlt.store import ImageStore, decode_image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

TRIES = 3
"""Retries of a chunk whose actor dies; after them the chunk itself is the likely cause."""
CLOSE_SECONDS = 30.0
"""Seconds an actor may take to free its model before it is killed."""


@dataclass(frozen=True, slots=True)
class Ray:
    """Opens each model several times, in actors. Models behind an endpoint are asked from here: their server scales.

    Args:
        spec: number of engines, and the resources of each.
        files: one-file plugins.
    """

    spec: ExecutorSpec
    files: tuple[Path, ...] = ()

    @property
    def joins(self) -> str:
        return "" if self._address == "local" else self._address

    @property
    def _address(self) -> str:
        """By itself Ray would also join a cluster that it finds running on this machine."""
        return self.spec.address or os.environ.get("RAY_ADDRESS") or "local"

    def parallel(self, model: Resolved) -> int:
        return Local().parallel(model) if model.model.url else self._engines()[0]

    @contextmanager
    def open(self, model: Resolved, images: ImageStore) -> Iterator[Engine]:
        if model.model.url:
            with Local().open(model, images) as engine:
                yield engine
            return
        import ray

        count, gpus = self._engines()
        switches = {name: value for name, value in os.environ.items() if name.startswith("OPENVLT_")}
        actor = ray.remote(EngineActor).options(
            num_cpus=self.spec.cpus, num_gpus=gpus, max_restarts=-1, max_task_retries=TRIES,
            runtime_env={"env_vars": switches},
        )  # fmt: skip
        actors = [
            actor.remote(model.backend.spec, model.backend.identity, model.model, self.files) for _ in range(count)
        ]
        try:
            yield _Actors(actors, images)
        finally:
            # killing an actor frees its model too; one that died or does not close in time needs no more
            with suppress(ray.exceptions.RayError):
                ray.get([each.close.remote() for each in actors], timeout=CLOSE_SECONDS)
            for each in actors:
                ray.kill(each)

    def _engines(self) -> tuple[int, float]:
        """Number of engines, and of GPUs for each."""
        spec, has = self.spec, _resources(self._address)
        gpus = float(has.get("GPU", 0) > 0) if spec.gpus is None else spec.gpus
        room = int(has.get("CPU", 0) // spec.cpus)
        if gpus:
            room = min(room, int(has.get("GPU", 0) // gpus))
        if room < (spec.engines or 1):
            raise UsageError(
                f"The Ray cluster has {has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs, too few for "
                f"{spec.engines or 1} engines with {spec.cpus:g} CPUs and {gpus:g} GPUs each (executor).",
                "Ask for fewer (executor.engines, executor.cpus, executor.gpus), or add nodes to the cluster first.",
            )
        return spec.engines or room, gpus


def _resources(address: str) -> Mapping[str, float]:
    """Total resources of the cluster; connects to it, or starts one on this machine."""
    # under `uv run` Ray would install the project in every worker; it also reports its use over the network
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if not ray.is_initialized():
        try:
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="error")
        except ConnectionError as error:
            raise RemoteError(
                f"The Ray cluster at {address} cannot be reached: {error}.",
                "Start it (ray start --head), or remove executor.address to start one on this machine.",
            ) from error
    resources: dict[str, float] = ray.cluster_resources()
    return resources


class _Actors:
    """The engine that a stage sees: each call goes to an idle actor."""

    def __init__(self, actors: Sequence[Any], images: ImageStore) -> None:
        self._images = images
        self._idle: Queue[Any] = Queue()
        for actor in actors:
            self._idle.put(actor)

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion] | Rejected]:
        import ray

        parts = {part for request in requests for message in request.messages for part in message.content}
        content = {part.sha256: self._images.content(part) for part in parts if isinstance(part, Image)}
        actor = self._idle.get()
        try:
            responses: list[list[Completion] | Rejected] = ray.get(actor.generate.remote(requests, sampling, content))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, OpenvltError):
                raise error.cause from None
            raise
        except ray.exceptions.RayError as error:
            died = isinstance(error, ray.exceptions.RayActorError)
            cause = f"{TRIES + 1} engines in a row died of it" if died else str(error)
            raise OpenvltError(
                f"A chunk of {len(requests)} requests failed on the Ray cluster: {cause}.",
                "See the logs of Ray's workers (out of memory?); the same command resumes the run.",
            ) from error
        finally:
            self._idle.put(actor)
        return responses


class EngineActor:
    """One engine in a process of the cluster. The model is opened on first use, so that a restarted actor reopens it.

    Args:
        backend: spec of the backend.
        identity: of the backend; must be the same on this node.
        model: to open.
        files: one-file plugins.
    """

    def __init__(self, backend: Mapping[str, Any], identity: str, model: Model, files: Sequence[Path]) -> None:
        self._arguments = (backend, identity, model, files)
        self._stack = ExitStack()
        self._engine: Engine | None = None
        self._content: Mapping[str, bytes] = {}

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, content: Mapping[str, bytes]
    ) -> list[Sequence[Completion] | Rejected]:
        """Respond to requests; `content` holds the bytes of their images by digest."""
        self._content = content
        if self._engine is None:
            self._engine = self._open(*self._arguments)
        return list(self._engine.generate(requests, sampling))

    def close(self) -> None:
        """Free the model."""
        self._stack.close()

    def _open(self, spec: Mapping[str, Any], identity: str, model: Model, files: Sequence[Path]) -> Engine:
        node = socket.gethostname()
        built = Registry.discover(files).build(Backend, spec)
        if built.identity != identity:
            raise UsageError(
                f"The backend {built.entry.id} has another version on the node {node} of the Ray cluster than here.",
                "Install the same openvlt and plugins on all nodes.",
            )
        if Path(model.id).is_absolute() and not Path(model.id).exists():
            raise UsageError(
                f"The model {model.id} is not on the node {node} of the Ray cluster.",
                "Put it on storage that all nodes share, or name a model of the hub.",
            )
        return self._stack.enter_context(built.component.open(model, self._read))

    def _read(self, image: Image) -> Picture:
        return decode_image(self._content[image.sha256])
