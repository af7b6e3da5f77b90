"""How near the openai backend comes to what latency and concurrency allow.

Starts a stub endpoint that answers every request after 50 ms, asks it from several threads as the core does, then with
a whole distill stage (prompts, rows, parsing, the store), and prints requests a second beside the ideal
``concurrency / latency``. Run: ``python tests/benchmarks/openai_throughput.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from openvlt import Image, Message, Model, Request, Sampling
from openvlt.registry import Registry
from openvlt.stages.workspace import Workspace
from openvlt.store import Home
from openvlt_plugins.openai.backend import OpenAIBackend

REPLY = json.dumps(
    {
        "data": [{"id": "stub"}],
        "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
)
RESPONSE = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(REPLY)}\r\n\r\n{REPLY}".encode()


class Stub(asyncio.Protocol):
    """One connection of the stub; as light as it can be, for it shares the machine with what is measured."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, end, body = self.got.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if end and len(body) >= int(length[1] if length else 0):
            self.got = b""
            asyncio.get_running_loop().call_later(self.latency if length else 0, self.transport.write, RESPONSE)


async def stub(latency: float) -> None:
    """Serve until killed; the port goes to stdout."""
    server = await asyncio.get_running_loop().create_server(lambda: Stub(latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def read(image: Image) -> None:
    raise AssertionError("the benchmark sends no image")


def measure(url: str, concurrency: int, seconds: float, latency: float) -> tuple[float, float]:
    """Requests a second over the ideal, and milliseconds of CPU time a request takes here."""
    backend = OpenAIBackend(concurrency=concurrency)
    count = int(concurrency / latency * seconds)
    requests = [Request((Message.user(f"Question {place}?"),), str(place)) for place in range(count)]
    chunks = [requests[start : start + backend.chunk] for start in range(0, count, backend.chunk)]
    with (
        backend.open(Model(id="stub", url=(url,)), read) as engine,  # type: ignore[arg-type]
        ThreadPoolExecutor(backend.parallel) as pool,
    ):
        list(pool.map(lambda chunk: engine.generate(chunk, Sampling()), chunks[: backend.parallel]))
        start, used = time.perf_counter(), time.process_time()
        replies = list(pool.map(lambda chunk: engine.generate(chunk, Sampling()), chunks))
        taken, used = time.perf_counter() - start, time.process_time() - used
    assert sum(len(reply) for chunk in replies for reply in chunk) == count  # type: ignore[arg-type]
    return count / taken / (concurrency / latency), 1000 * used / count


def measure_stage(url: str, concurrency: int, seconds: float, latency: float, samples: int) -> tuple[float, float]:
    """The same of a distill stage."""
    from openvlt.stages.distill import distill
    from openvlt.stages.load import load

    rows = int(concurrency / latency * seconds) // samples
    registry = Registry.discover([Path(__file__).with_name("instant.py")])
    source = registry.build("source", {"use": "sums", "count": rows})
    backend = {"use": "openai", "concurrency": concurrency}
    model = {"id": "stub", "url": [url], "backend": backend}
    teacher = registry.build("teacher", {"use": "chat", "model": model, "k": samples, "prompt": "{caption} {question}"})
    with TemporaryDirectory() as folder:
        workspace = Workspace(Home(Path(folder)), registry)
        loaded = load(workspace, "load-1", 1, source, "train")
        used = time.process_time()
        made = distill(
            workspace, "distill-1", 1, loaded, teacher, {"model": workspace.resolve(teacher.component.model)}
        )
        used = time.process_time() - used
    assert made.record.out == rows
    count = rows * samples
    return count / made.record.counts["seconds"] / (concurrency / latency), 1000 * used / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--stub", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stub:
        asyncio.run(stub(options.latency))
    command = [sys.executable, __file__, "--stub", "--latency", str(options.latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        for concurrency in options.concurrency:
            ideal = concurrency / options.latency
            for what, (ratio, cpu) in (
                ("backend alone", measure(url, concurrency, options.seconds, options.latency)),
                ("stage, k = 1", measure_stage(url, concurrency, options.seconds, options.latency, 1)),
                ("stage, k = 4", measure_stage(url, concurrency, options.seconds, options.latency, 4)),
            ):
                print(
                    f"concurrency {concurrency:3}, {what:14} {ratio * ideal:5.0f} requests/s, {ratio:.2f} of the ideal "
                    f"{ideal:.0f}, {cpu:.2f} ms of CPU time a request",
                    flush=True,
                )
        server.kill()


if __name__ == "__main__":
    main()
