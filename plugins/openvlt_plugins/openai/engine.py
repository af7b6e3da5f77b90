"""Sends requests to a fleet of endpoints, from an event loop in its own thread."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from openvlt import Completion, EndpointKey, ImageReader, Model, Rejected, RemoteError, Request, Sampling
from openvlt_plugins.openai.connections import Connections
from openvlt_plugins.openai.fleet import AllDownError, Endpoint, Fleet
from openvlt_plugins.openai.messages import Body, data_url, make_body, seed
from openvlt_plugins.openai.replies import RULES, Category, Failure, completion, served_models

log = logging.getLogger(__name__)

_CONNECT = 10.0  # seconds to establish a connection
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0  # seconds before a retry; doubled each time, with jitter
_EXTENDED = frozenset({"vllm", "sglang"})  # servers that accept top_k and repetition_penalty
_IMAGES = 16  # encoded ones kept: the samples of a prompt are requests of their own


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
        keys: of the endpoints, in the order of their URLs; each is sent to its own as a bearer token.
    """

    def __init__(self, limits: Limits, model: Model, read: ImageReader, keys: Sequence[EndpointKey]) -> None:
        self._limits = limits
        self._model = model
        self._encode = lru_cache(_IMAGES)(partial(data_url, model=model, read=read))
        endpoints = [
            Endpoint(url.rstrip("/"), limits.concurrency, key) for url, key in zip(model.url, keys, strict=True)
        ]
        self._fleet = Fleet(endpoints, limits.patience)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="openai-endpoints", daemon=True)
        self._lock, self._closed = Lock(), False
        self._error: RemoteError | None = None
        self._answered: tuple[Body, int, bool] | None = None
        self._control = asyncio.Lock()
        self._retried = 0
        self._connections = Connections(_CONNECT)

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
            RemoteError: an endpoint refuses everything, or does not serve the model.
        """
        bodies = [make_body(request.messages, self._model, sampling, self._encode) for request in requests]
        samples = [
            (body, seed(request.key, sample, sampling.seed))
            for request, body in zip(requests, bodies, strict=True)
            for sample in request.samples
        ]
        results = iter(self._run(self._all(samples)))
        return [_joined(request, [next(results) for _ in request.samples]) for request in requests]

    def counts(self) -> dict[str, float]:
        """The numbers of requests in flight and of retries so far."""
        return {"in flight": sum(each.in_flight for each in self._fleet.endpoints), "retried": self._retried}

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop and wait; an interrupt cancels it, and so does closing the engine."""
        with self._lock:  # What is scheduled before the engine closes is cancelled; nothing is scheduled later.
            if self._closed:
                work.close()
                raise CancelledError
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def _stop(self) -> None:
        if not self._thread.is_alive():  # in a fork of the process that opened it
            return
        with self._lock:
            self._closed = True
            future = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        future.result()
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
                response = await self._connections.send(f"{endpoint.url}/models", endpoint.key.value)
        except (TimeoutError, Failure) as error:
            log.warning(
                "%s does not respond (%s)", endpoint.url, getattr(error, "detail", "") or str(error) or "TimeoutError"
            )
            return False
        if response.status in {401, 403}:
            raise self._end(endpoint, Failure("", "key"))
        # Without a list of models the first request will show whether the model is served.
        served = served_models(response.content)
        if served and self._model.id not in served:
            raise self._end(endpoint, Failure("", "model"), sorted(served))
        endpoint.extended = served.get(self._model.id) in _EXTENDED
        return True

    async def _all(self, samples: Sequence[tuple[Body, int]]) -> list[Completion | Rejected]:
        """The results in order; the first error cancels the rest."""
        tasks = [asyncio.ensure_future(self._sample(body, seed)) for body, seed in samples]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _sample(self, body: Body, seed: int) -> Completion | Rejected:
        """Request one sample until it succeeds, is refused, or has used up its retries or its time.

        The deadline starts when an endpoint is first free, so the wait in the queue does not count. A server that
        asks to slow down (429) uses up no retries: the limit of the endpoint adapts, and the deadline ends the loop.
        """
        clock = self._loop.time
        deadline: float | None = None
        failure = Failure("no endpoint responds")
        failed: Counter[Category] = Counter()
        limited = True
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    endpoint = await self._fleet.acquire()
            except (AllDownError, TimeoutError):
                if self._error:
                    raise self._error from None
                return Rejected(id="", reason=failure.reason, transient=True)
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
            if failure.category == "field":
                continue
            rule = RULES[failure.category]
            failed[failure.category] += failure.category != "busy"
            again = self._limits.retries if rule.again is None else rule.again
            if failed[failure.category] > again or failed.total() > self._limits.retries:
                return await self._rejected(endpoint, failure)
            if clock() >= deadline:
                return Rejected(id="", reason=failure.reason, transient=True)
            log.debug("retrying a request to %s: %s", endpoint.url, failure.reason)
            self._retried += 1
            delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** max(0, failed.total() - 1))
            await self._fleet.sleep(delay * random.uniform(0.5, 1.0))

    async def _post(self, endpoint: Endpoint, body: Body, seed: int, deadline: float, *, limited: bool) -> Completion:
        """Send one request, and update the state of the endpoint.

        Raises:
            Failure: the request failed.
            RemoteError: no request to this endpoint can succeed.
        """
        clock = self._loop.time
        started, refused = clock(), endpoint.refused_fields
        try:
            if endpoint.extended is None and not await self._probe(endpoint):
                raise Failure("the connection to the endpoint failed", "down")
            content = body.encoded(extended=bool(endpoint.extended), seed=seed, limited=limited, refused=refused)
            async with asyncio.timeout(min(self._limits.timeout, max(0.0, deadline - started))):
                response = await self._connections.send(f"{endpoint.url}/chat/completions", endpoint.key.value, content)
            sample = completion(response, time.time())
        except TimeoutError as error:
            endpoint.unanswered(started=started, now=clock())
            endpoint.slow_down(started=started, now=clock())
            raise Failure("the endpoint took too long") from error
        except Failure as failure:
            if failure.category == "field":
                raise self._without(endpoint, failure, refused) from None
            enough = RULES[failure.category].enough
            endpoint.unanswered(started=started, now=clock(), refused=enough > 0)
            if enough and endpoint.refuses_all(enough):
                raise self._end(endpoint, failure) from None
            if failure.category == "down":
                endpoint.failed(started=started, now=clock())
            elif failure.pause > self._limits.patience:
                endpoint.skip(failure.pause, now=clock())
            elif failure.category in {"busy", "slow", "quota", "key"}:
                endpoint.slow_down(started=started, now=clock(), pause=failure.pause)
            raise
        endpoint.succeeded(started=started)
        self._answered = body, seed, limited
        return sample

    def _without(self, endpoint: Endpoint, failure: Failure, sent_without: frozenset[str]) -> Failure:
        """Leave out the field that a model does not take; a refusal if it was left out already."""
        field = failure.reason
        if field in sent_without:
            return Failure("the endpoint refuses the request (400)", "refused", detail=failure.detail)
        if field not in endpoint.refused_fields:
            endpoint.refused_fields |= {field}
            instead = "is sent as max_completion_tokens" if field == "max_tokens" else "has the model's default"
            log.warning("%s: the model takes no %s, which %s", endpoint.url, field, instead)
        return failure

    async def _rejected(self, endpoint: Endpoint, failure: Failure) -> Rejected:
        """The request is at fault only if the endpoint still answers others; else the key or the server may be."""
        rule = RULES[failure.category]
        permanent = rule.permanent and (not rule.enough or await self._still_answers(endpoint))
        log.log(
            logging.WARNING if rule.permanent else logging.DEBUG, "%s: %s: %s",
            endpoint.url, failure.reason, failure.detail,
        )  # fmt: skip
        return Rejected(id="", reason=failure.reason, transient=not permanent)

    async def _still_answers(self, endpoint: Endpoint) -> bool:
        """Does the endpoint answer what is asked from now on? If need be, it is asked again what one has answered.

        Raises:
            RemoteError: no request to this endpoint can succeed.
        """
        now = self._loop.time()
        await self._await_answer()
        async with self._control:  # one answer tells it of all that were refused before
            if self._answered is None or self._error is not None:
                return False
            if endpoint.answered > now:
                return True
            body, seed, limited = self._answered
            endpoint.in_flight += 1
            try:
                await self._post(endpoint, body, seed, self._loop.time() + self._limits.timeout, limited=limited)
            except Failure:
                return False
            finally:
                self._fleet.release(endpoint)
            return True

    async def _await_answer(self) -> None:
        """Wait for the first answer, as long as others are asked: servers refuse at once, and take long to answer."""
        asked = True
        while asked and self._answered is None and self._error is None:
            await self._fleet.sleep(_FIRST_DELAY)
            asked = any(each.in_flight for each in self._fleet.endpoints)

    def _end(self, endpoint: Endpoint, failure: Failure, served: Sequence[str] = ()) -> RemoteError:
        """End all work but the requests in flight, whose answers are paid for."""
        self._error = _useless(endpoint, failure, self._model.id, served)
        self._fleet.end()
        return self._error


def _useless(endpoint: Endpoint, failure: Failure, model: str, served: Sequence[str]) -> RemoteError:
    """The sentence for an endpoint that answers nothing."""
    url, detail = endpoint.url, f" It says: {failure.detail}" if failure.detail else ""
    host = urlsplit(url).netloc
    if failure.category == "key":
        key = f"the API key in ${endpoint.key.name}" if endpoint.key.name else "requests without an API key"
        remedy = (
            f"Set ${endpoint.key.name} to a valid one." if endpoint.key.name else f"Bind one: --key-env NAME@{host}."
        )
        return RemoteError(f"The endpoint {url} refuses {key}.", remedy)
    if failure.category == "model":
        remedy = f"It serves: {', '.join(served[:10])}." if served else "Give the id that the server was started with."
        return RemoteError(f"The endpoint {url} serves no model '{model}'.", remedy)
    if failure.category == "quota":
        return RemoteError(
            f"The endpoint {url} has no quota left.{detail}",
            "Add credit, then run the same command again: it keeps what is done.",
        )
    return RemoteError(
        f"The endpoint {url} answered none of {endpoint.refusals} requests in a row: {failure.reason}.{detail}",
        "Check its address, the key and the model; then run the same command again: it keeps what is done.",
    )


def _joined(request: Request, results: Sequence[Completion | Rejected]) -> list[Completion] | Rejected:
    """All samples, or the reason that one is missing: a permanent reason before a transient one."""
    rejected = [result for result in results if isinstance(result, Rejected)]
    if rejected:
        return replace(min(rejected, key=lambda each: each.transient), id=request.key)
    return [result for result in results if isinstance(result, Completion)]
