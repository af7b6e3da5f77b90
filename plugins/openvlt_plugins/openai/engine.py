"""Sends requests to a fleet of endpoints, from an event loop in its own thread."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import Any, Self

from openvlt import Completion, ImageReader, Model, Rejected, RemoteError, Request, Sampling
from openvlt_plugins.openai.connections import Connections
from openvlt_plugins.openai.fleet import AllDownError, Endpoint, Fleet
from openvlt_plugins.openai.messages import Body, Failure, completion, make_body, seed

log = logging.getLogger(__name__)

_CONNECT = 10.0  # seconds to establish a connection
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0  # seconds before a retry; doubled each time, with jitter
_EXTENDED = frozenset({"vllm", "sglang"})  # servers that accept top_k and repetition_penalty


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on concurrency, time and retries; the backend's options of the same names explain the fields."""

    concurrency: int
    timeout: float
    total_timeout: float
    retries: int
    patience: float


class OpenAIEngine:
    """Open endpoints; `generate` is thread-safe.

    Args:
        limits: on concurrency, time and retries.
        model: the model that the endpoints serve, and their URLs.
        read: decodes images.
        key: sent as a bearer token unless empty; never logged or written.
        key_variable: name of the environment variable with the key.
    """

    def __init__(self, limits: Limits, model: Model, read: ImageReader, key: str, key_variable: str) -> None:
        self._limits = limits
        self._model = model
        self._read = read
        self._key, self._key_variable = key, key_variable
        self._fleet = Fleet([Endpoint(url.rstrip("/"), limits.concurrency) for url in model.url], limits.patience)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="openai-endpoints", daemon=True)
        self._succeeded = False
        self._retried = 0
        bearer = {"Authorization": f"Bearer {key}"} if key else {}
        self._connections = Connections({"Accept": "application/json", **bearer}, _CONNECT)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._connect())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion] | Rejected]:
        """Answer the requests in order.

        Raises:
            RemoteError: an endpoint refuses the key or does not serve the model.
        """
        bodies = [make_body(request.messages, self._model, sampling, self._read) for request in requests]
        samples = [
            self._sample(body, seed(request.key, sample, sampling.seed))
            for request, body in zip(requests, bodies, strict=True)
            for sample in request.samples
        ]
        results = iter(self._run(_all(samples)))
        return [_joined(request, [next(results) for _ in request.samples]) for request in requests]

    def counts(self) -> dict[str, float]:
        """The numbers of requests in flight and of retries so far."""
        return {"in flight": sum(each.in_flight for each in self._fleet.endpoints), "retried": self._retried}

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop and wait; an interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def _stop(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _connect(self) -> None:
        """Probe every endpoint; those that are down are tried again later."""
        alive = await asyncio.gather(*(self._probe(endpoint) for endpoint in self._fleet.endpoints))
        if not any(alive):
            urls = ", ".join(endpoint.url for endpoint in self._fleet.endpoints)
            raise RemoteError(
                f"No endpoint of '{self._model.id}' responds: {urls}.", "Start the server, or fix the URL."
            )

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._connections.close()

    async def _probe(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint responds; its list of models shows which fields it accepts."""
        try:
            async with asyncio.timeout(_CONNECT):
                response = await self._connections.send(f"{endpoint.url}/models")
        except (TimeoutError, Failure) as error:
            log.warning("%s does not respond (%s)", endpoint.url, getattr(error, "detail", "TimeoutError"))
            return False
        if response.status in {401, 403}:
            raise self._refused_key(endpoint)
        try:
            served = {str(entry["id"]): entry.get("owned_by") for entry in json.loads(response.content)["data"]}
        except (ValueError, KeyError, TypeError, AttributeError):
            served = {}  # There is no list of models; the first request will show whether the model is served.
        if served and self._model.id not in served:
            raise self._wrong_model(endpoint, sorted(served))
        endpoint.extended = served.get(self._model.id) in _EXTENDED
        return True

    async def _sample(self, body: Body, seed: int) -> Completion | Failure:
        """Request one sample until it succeeds, is refused, or has used up its retries or its time.

        The deadline starts when an endpoint is first free, so the wait in the queue does not count. A server that
        asks to slow down (429) uses up no retries: the limit of the endpoint adapts, and the deadline ends the loop.
        """
        clock = self._loop.time
        deadline: float | None = None
        failure = Failure("no endpoint responds")
        failed, limited = 0, True
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    endpoint = await self._fleet.acquire()
            except (AllDownError, TimeoutError):
                return failure
            deadline = deadline or clock() + self._limits.total_timeout
            try:
                return await self._post(endpoint, body, seed, deadline, limited=limited)
            except Failure as raised:
                failure = raised
            finally:
                self._fleet.release(endpoint)
            if failure.category == "context" and limited:
                # Prompt and token limit together may exceed the context; without the limit the server cuts the reply.
                limited = False
                continue
            if failure.category in {"context", "refused"}:
                return self._refused(endpoint, failure)
            failed += failure.category != "busy"
            if failed > self._limits.retries or clock() >= deadline:
                return failure
            log.debug("retrying a request to %s: %s", endpoint.url, failure.reason)
            self._retried += 1
            delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** max(0, failed - 1))
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))

    async def _post(self, endpoint: Endpoint, body: Body, seed: int, deadline: float, *, limited: bool) -> Completion:
        """Send one request, and update the state of the endpoint.

        Raises:
            Failure: the request failed.
            RemoteError: no request to this endpoint can succeed.
        """
        clock = self._loop.time
        started = clock()
        try:
            if endpoint.extended is None and not await self._probe(endpoint):
                raise Failure("the connection to the endpoint failed", "down")
            content = body.encoded(extended=bool(endpoint.extended), seed=seed, limited=limited)
            async with asyncio.timeout(min(self._limits.timeout, max(0.0, deadline - started))):
                response = await self._connections.send(f"{endpoint.url}/chat/completions", content)
            sample = completion(response, time.time())
        except TimeoutError as error:
            endpoint.slow_down(started=started, now=clock())
            raise Failure("the endpoint took too long") from error
        except Failure as failure:
            if failure.category == "key":
                raise self._refused_key(endpoint) from None
            if failure.category == "model":
                raise self._wrong_model(endpoint, []) from None
            if failure.category == "down":
                endpoint.failed(started=started, now=clock())
            elif failure.pause > self._limits.patience:
                endpoint.skip(failure.pause, now=clock())
            elif failure.category in {"busy", "slow"}:
                endpoint.slow_down(started=started, now=clock(), pause=failure.pause)
            raise
        endpoint.succeeded()
        self._succeeded = True
        return sample

    def _refused(self, endpoint: Endpoint, failure: Failure) -> Failure:
        """A refusal is permanent only after a first success; before, the configuration may be the cause."""
        detail = failure.detail.replace(self._key, "***") if self._key else failure.detail
        log.warning("%s: %s: %s", endpoint.url, failure.reason, detail[:500])
        return failure if self._succeeded or failure.category == "context" else Failure(failure.reason)

    def _refused_key(self, endpoint: Endpoint) -> RemoteError:
        return RemoteError(
            f"The endpoint {endpoint.url} refuses the API key.", f"Set ${self._key_variable} to a valid one."
        )

    def _wrong_model(self, endpoint: Endpoint, served: Sequence[str]) -> RemoteError:
        return RemoteError(
            f"The endpoint {endpoint.url} serves no model '{self._model.id}'.",
            f"It serves: {', '.join(served[:10])}." if served else "Give the id that the server was started with.",
        )


async def _all(work: Sequence[Coroutine[Any, Any, Completion | Failure]]) -> list[Completion | Failure]:
    """The results in order; the first error cancels the rest."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _joined(request: Request, results: Sequence[Completion | Failure]) -> list[Completion] | Rejected:
    """All samples, or the reason that one is missing: a permanent reason before a transient one."""
    failures = [result for result in results if isinstance(result, Failure)]
    if failures:
        worst = min(failures, key=lambda failure: failure.transient)
        return Rejected(id=request.key, reason=worst.reason, transient=worst.transient)
    return [result for result in results if isinstance(result, Completion)]
