"""How near the openai backend comes to what latency and concurrency allow.

Starts a stub endpoint that answers every request after 50 ms, asks it from several threads as the core does, and prints
requests a second beside the ideal ``concurrency / latency``. Run: ``python tests/benchmarks/openai_throughput.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from openvlt import Image, Message, Model, Request, Sampling
from openvlt_plugins.openai.backend import OpenAIBackend

REPLY = json.dumps(
    {
        "data": [{"id": "stub"}],
        "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
)
RESPONSE = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(REPLY)}\r\n\r\n{REPLY}".encode()


async def stub(latency: float) -> None:
    """Serve until killed; the port goes to stdout."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if length:
                await reader.readexactly(int(length[0].split(b":")[1]))
                await asyncio.sleep(latency)
            writer.write(RESPONSE)

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def read(image: Image) -> None:
    raise AssertionError("the benchmark sends no image")


def measure(url: str, concurrency: int, seconds: float, latency: float) -> float:
    """Requests a second over the ideal."""
    backend = OpenAIBackend(concurrency=concurrency)
    count = int(concurrency / latency * seconds)
    requests = [Request((Message.user(f"Question {place}?"),), str(place)) for place in range(count)]
    chunks = [requests[start : start + backend.chunk] for start in range(0, count, backend.chunk)]
    with (
        backend.open(Model(id="stub", url=(url,)), read) as engine,  # type: ignore[arg-type]
        ThreadPoolExecutor(backend.parallel) as pool,
    ):
        list(pool.map(lambda chunk: engine.generate(chunk, Sampling()), chunks[: backend.parallel]))
        start = time.perf_counter()
        replies = list(pool.map(lambda chunk: engine.generate(chunk, Sampling()), chunks))
        taken = time.perf_counter() - start
    assert sum(len(reply) for chunk in replies for reply in chunk) == count  # type: ignore[arg-type]
    return count / taken / (concurrency / latency)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[8, 16, 32])
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
            ratio = measure(url, concurrency, options.seconds, options.latency)
            ideal = concurrency / options.latency
            print(f"concurrency {concurrency:3}: {ratio * ideal:6.0f} requests/s, {ratio:.2f} of the ideal {ideal:.0f}")
        server.kill()


if __name__ == "__main__":
    main()
