"""The endpoints of one model: which one gets the next request, and how many each can take."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from openvlt import EndpointKey

log = logging.getLogger(__name__)

_BROKEN_AFTER = 3  # failed connections in a row
_LONGEST_SKIP = 60.0  # seconds


class AllDownError(Exception):
    """Every endpoint has been down for longer than the patience, or the fleet has ended."""


@dataclass
class Endpoint:
    """One server. Its limit follows TCP's congestion control (RFC 5681): it grows with every success, quickly up to the
    threshold and by one per round beyond it, and halves when the server asks to slow down.

    Attributes:
        url: without a trailing slash.
        most: most requests in flight.
        key: sent with every request.
        extended: True if it accepts vLLM's additional decoding fields; None until it has been probed.
        refused_fields: decoding fields that its model does not take, as it said.
        answered: when the request was sent that is the last one, by that time, of those it has answered.
        refusals: requests refused in a row.
        before: requests in flight that started before the first of them.
    """

    url: str
    most: int
    key: EndpointKey
    extended: bool | None = None
    refused_fields: frozenset[str] = frozenset()
    in_flight: int = 0
    limit: float = 0.0
    threshold: float = 0.0
    paused_until: float = 0.0
    last_reduction: float = 0.0
    failures: int = 0
    last_failure: float = 0.0
    down_since: float | None = None
    answered: float = 0.0
    refusals: int = 0
    refusing_since: float = 0.0
    before: int = 0

    def __post_init__(self) -> None:
        self.limit = self.threshold = float(self.most)

    def succeeded(self, *, started: float) -> None:
        """Record a success. It ends a row of refusals only if it started after the first: else it may be older than
        their cause."""
        if self.down_since is not None:
            log.info("%s responds again", self.url)
        if self.refusals and started < self.refusing_since:
            self.before -= 1
        else:
            self.refusals = 0
        self.answered = max(self.answered, started)
        self.failures, self.down_since = 0, None
        self.limit = min(self.most, self.limit + (1.0 if self.limit < self.threshold else 1.0 / self.limit))

    def unanswered(self, *, started: float, now: float, refused: bool = False) -> None:
        """Record a request that failed."""
        if refused and not self.refusals:
            self.refusing_since, self.before = now, self.in_flight
        self.refusals += refused
        if self.refusals and started < self.refusing_since:
            self.before -= 1

    def refuses_all(self, enough: int) -> bool:
        """Were so many refused in a row, and does no older request wait that may still be answered?"""
        return self.refusals >= enough and self.before <= 0

    def slow_down(self, *, started: float, now: float, pause: float = 0.0) -> None:
        """Record an overload. Requests that started before the last reduction do not reduce the limit again. A server
        that is asked for one reply at a time and still refuses is as good as down."""
        self.paused_until = max(self.paused_until, now + pause)
        if started < self.last_reduction:
            return
        if self.limit <= 1.0:
            self.failed(started=started, now=now)
        self.limit = self.threshold = max(1.0, self.limit / 2)
        self.last_reduction = now

    def failed(self, *, started: float, now: float) -> None:
        """Record a failed connection; after a few in a row the endpoint is skipped and tried again later.

        Requests that started before the last failure count as one with it, so that a single outage which breaks many
        connections is not taken for a series.
        """
        if started < self.last_failure:
            return
        self.failures, self.last_failure = self.failures + 1, now
        if self.failures < _BROKEN_AFTER:
            return
        self.skip(min(_LONGEST_SKIP, 2.0 ** (self.failures - _BROKEN_AFTER)), now=now)

    def skip(self, seconds: float, *, now: float) -> None:
        """Send it nothing for some time; it counts as down from now until it responds."""
        if self.down_since is None:
            self.down_since = now
            log.warning("%s is skipped for %.0f s, and longer if it still fails then", self.url, seconds)
        self.paused_until = max(self.paused_until, now + seconds)
        self.limit, self.threshold = 1.0, self.most / 2


class Fleet:
    """Assigns endpoints, the least loaded first; for use on one event loop only.

    Args:
        endpoints: all that serve the model.
        patience: seconds after which waiting ends if all of them are down.
    """

    def __init__(self, endpoints: Sequence[Endpoint], patience: float) -> None:
        self.endpoints = endpoints
        self.patience = patience
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._ended = asyncio.Event()

    async def acquire(self) -> Endpoint:
        """Wait for a free slot at an endpoint; `release` it afterwards.

        Raises:
            AllDownError: all endpoints have been down for too long, or the fleet has ended.
        """
        loop = asyncio.get_running_loop()
        while True:
            if self._ended.is_set():
                self._wake()  # So that the next waiter gives up too.
                raise AllDownError
            now = loop.time()
            if (endpoint := self._free(now)) is not None:
                endpoint.in_flight += 1
                if self._waiting and self._free(now):
                    self._wake()  # The limit may have grown by more than one slot.
                return endpoint
            self._give_up_if_all_down(now)
            waiter = loop.create_future()
            self._waiting[waiter] = None
            try:
                async with asyncio.timeout(self._until_resumed(now)):
                    await waiter
            except TimeoutError:
                continue
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # Pass the slot on to another waiter.
                raise
            finally:
                self._waiting.pop(waiter, None)

    def release(self, endpoint: Endpoint) -> None:
        """Return a slot, and wake the longest waiter."""
        endpoint.in_flight -= 1
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Wait before a retry; the end of the fleet ends it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    def end(self) -> None:
        """Give out no endpoint any more."""
        self._ended.set()
        self._wake()

    def _free(self, now: float) -> Endpoint | None:
        """The least loaded endpoint with a free slot."""
        free = [e for e in self.endpoints if e.paused_until <= now and e.in_flight < int(e.limit)]
        return min(free, key=lambda e: e.in_flight / e.limit, default=None)

    def _wake(self) -> None:
        while self._waiting:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            if not waiter.done():
                waiter.set_result(None)
                return

    def _until_resumed(self, now: float) -> float | None:
        """Seconds until an endpoint is no longer paused or the patience ends; None to wait for a released slot."""
        ends = [e.paused_until for e in self.endpoints]
        ends += [e.down_since + self.patience for e in self.endpoints if e.down_since is not None]
        waits = [end - now for end in ends if end > now]
        return max(0.001, min(waits)) if waits else None

    def _give_up_if_all_down(self, now: float) -> None:
        since = [e.down_since for e in self.endpoints]
        if all(s is not None and now - s >= self.patience for s in since):
            self._wake()  # So that the next waiter gives up too.
            raise AllDownError
