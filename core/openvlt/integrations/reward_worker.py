"""A process of a reward server: ``python -m openvlt.integrations.reward_worker FOLDER DESCRIPTOR``.

All processes of a server accept from one listening socket, so that a request that meets a dying process is asked again
of another. Each keeps its counts in a file of the server's folder, and any of them adds up all.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openvlt import system
from openvlt.errors import OpenvltError, UsageError
from openvlt.integrations.reward_client import BODY_BYTES, MOST_ROWS
from openvlt.integrations.rewards import RewardFunction
from openvlt.integrations.scores import exported, reward_of, score_rows
from openvlt.store import write_atomically

if TYPE_CHECKING:
    from aiohttp import web

THREADS = 4
"""Requests that a process works on at once; a verifier that asks a model waits for its replies."""
HELD_BYTES = 512 << 20
"""Size of the requests that a process holds at once; more are told to come back."""
LEAST_BYTES = 64 << 10
"""What a request counts as at least."""
GRACE_SECONDS = 60.0
"""How long the requests in flight may take when the server is to end."""
_FAMILIES = {
    "requests": "Requests that were answered.",
    "rows": "Rows that were scored.",
    "unscored": "Rows without a reward.",
    "microseconds": "Time that requests took, in microseconds.",
    "verdicts": "Verdicts by verifier and status.",
}
_REMEDIES = {
    404: "The server has POST /scores, GET /metrics and GET /health.",
    405: "The server has POST /scores, GET /metrics and GET /health.",
    413: f"Send at most {BODY_BYTES >> 20} MiB at once.",
    503: "Ask again in a moment.",
}


@dataclass
class Service:
    """Scores rows and counts them.

    Attributes:
        folder: of the server.
        function: the reward.
        told: what ``/health`` says.
    """

    folder: Path
    function: RewardFunction
    told: Mapping[str, Any]
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def score(self, body: bytes) -> bytes:
        """The reply to a request.

        Raises:
            UsageError: it cannot be read.
        """
        started = time.monotonic()
        rows = _rows(body)
        found = score_rows(rows, self.function)
        counts = Counter(f"{name}/{verdict.status}" for row in found for name, verdict in row.verdicts.items())
        unscored, took = sum(row.reward is None for row in found), time.monotonic() - started
        counts.update(requests=1, rows=len(rows), unscored=unscored, microseconds=int(1e6 * took))
        with self._lock:
            self._counts += counts
            self._keep()
        return json.dumps({"scores": [exported(row) for row in found]}).encode()

    def _keep(self) -> None:
        path = self.folder / f"counts-{os.getpid()}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(self._counts))
        partial.replace(path)

    def metrics(self) -> str:
        """The counts of all processes, in the text format 0.0.4 of Prometheus (prometheus/docs, exposition_formats)."""
        counts, lines = counted(self.folder), list[str]()
        verdicts = {_labels(key): count for key, count in sorted(counts.items()) if "/" in key}
        for key, told in _FAMILIES.items():  # all lines of one metric are together
            name, series = f"openvlt_reward_{key}_total", verdicts if key == "verdicts" else {"": counts[key]}
            lines += [f"# HELP {name} {told}", f"# TYPE {name} counter"]
            lines += [f"{name}{labels} {count}" for labels, count in series.items()]
        return "".join(f"{line}\n" for line in lines)


def counted(folder: Path) -> Counter[str]:
    """What all processes of a server have counted: ``requests``, ``rows``, ..., and ``VERIFIER/STATUS``."""
    total = Counter[str]()
    for path in folder.glob("counts-*.json"):
        total.update(json.loads(path.read_bytes()))
    return total


def _labels(key: str) -> str:
    verifier, _, status = key.rpartition("/")
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        verifier = verifier.replace(plain, escaped)
    return f'{{verifier="{verifier}",status="{status}"}}'


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        rows = json.loads(body)["rows"]
    except (ValueError, TypeError, KeyError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(
            "The request is not JSON with a list of objects named rows.",
            'Send {"rows": [{"response": ..., "ground_truth": ...}, ...]}.',
        )
    if len(rows) > MOST_ROWS:
        raise UsageError(f"The request has {len(rows):,} rows.", f"Send at most {MOST_ROWS:,} at once.")
    for index, row in enumerate(rows):
        for key in ("response", "ground_truth"):
            if key not in row:  # it may be null, and a misspelt name would train on zeros
                raise UsageError(f"Row {index} of the request has no {key}.", f"Send {key} in each row; null for none.")
    return rows


def application(service: Service) -> web.Application:
    """The server's pages."""
    from aiohttp import web

    threads, held = ThreadPoolExecutor(THREADS), 0

    async def scores(request: web.Request) -> web.Response:
        nonlocal held
        size = BODY_BYTES if request.content_length is None else max(request.content_length, LEAST_BYTES)
        if size <= BODY_BYTES and held + size > HELD_BYTES:  # a larger one is refused for good when it is read
            raise web.HTTPServiceUnavailable
        held += size
        try:
            body = await request.read()
            reply = await asyncio.get_running_loop().run_in_executor(threads, service.score, body)
        finally:
            held -= size
        return web.Response(body=reply, content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=service.metrics().encode(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def health(_: web.Request) -> web.Response:
        return web.json_response(service.told)

    app = web.Application(client_max_size=BODY_BYTES, middlewares=[web.middleware(_with_errors)])
    app.add_routes([web.post("/scores", scores), web.get("/metrics", metrics), web.get("/health", health)])
    return app


async def _with_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Errors as JSON: ``{"problem": ..., "remedy": ...}``."""
    from aiohttp import web

    try:
        return await handler(request)
    except web.HTTPException as error:
        told = {"problem": f"{error.reason}.", "remedy": _REMEDIES.get(error.status, "Send another request.")}
        return web.json_response(told, status=error.status, headers={"Retry-After": "1"} if error.status == 503 else {})
    except OpenvltError as error:
        status = 400 if isinstance(error, UsageError) else 500
        return web.json_response({"problem": error.problem, "remedy": error.remedy}, status=status)
    except Exception as error:  # noqa: BLE001 - the boundary: a client gets a sentence for any error
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        told = {"problem": f"unexpected {type(error).__name__}.", "remedy": "See what the server prints."}
        return web.json_response(told, status=500)


async def serve(service: Service, listening: socket.socket, ready: Path) -> None:
    """Serve until SIGTERM, then finish what is in flight."""
    from aiohttp import web

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    runner = web.AppRunner(application(service), access_log=None, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    ready.touch()
    await ended.wait()
    await runner.cleanup()


def main() -> None:
    """Build the reward and serve it; what keeps it from that is written to the folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its processes
    system.die_with_parent()
    folder, listening = Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    try:
        function = reward_of(json.loads((folder / "reward.json").read_bytes()), workers=1)
        function.score([])
    except OpenvltError as error:
        write_atomically(folder / "error.json", json.dumps([error.problem, error.remedy]).encode())
        sys.exit(error.exit_code)
    told = json.loads((folder / "told.json").read_bytes())
    asyncio.run(serve(Service(folder, function, told), listening, folder / f"ready-{os.getpid()}"))
    os._exit(0)  # a thread that still asks a model is not waited for


if __name__ == "__main__":
    main()
