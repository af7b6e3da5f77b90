"""An OpenAI-compatible endpoint that fails on demand; run as ``python fault_server.py --port 0 ...``.

A prompt says how it is answered: ``429 x2 ...`` fails twice with that fault and then echoes. ``GET /log`` tells what
was asked: one entry a request with its time, body and headers.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

FAULT = re.compile(r"^(\w+) x(\d+)")
REFUSALS: dict[str, tuple[Any, ...]] = {
    "after": ({"error": "slow down"}, {"Retry-After": "0.6"}),
    "tomorrow": ({"error": "come back tomorrow"}, {"Retry-After": "86400"}),
    "quota": ({"error": {"code": "insufficient_quota", "message": "You exceeded your current quota."}},),
}
"""Replies with 429."""
UNUSABLE: dict[str, Any] = {
    "malformed": '{"choices": [{"message": ',
    "nested": "[" * 100_000,
    "empty": {"choices": []},
    "nothing": {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
    "filtered": {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]},
}
"""Replies with 200 that are no completion."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(("127.0.0.1", options.port), Handler)
        self.options = options
        self.lock = threading.Lock()
        self.tries: dict[str, int] = {}
        self.log: list[dict[str, Any]] = []
        self.in_flight = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # Whoever asked may have been killed.
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/log":
            return self.send(200, self.server.log)
        options = self.server.options
        if options.key and self.headers.get("Authorization") != f"Bearer {options.key}":
            return self.send(401, {"error": f"Incorrect API key provided: {self.headers.get('Authorization')}"})
        if not options.models:
            return self.send(404, {"error": "no such page"})
        models = [{"id": options.model, "owned_by": options.owner}, {"id": self.told_key()}]
        self.send(200, {"data": models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        prompt = prompt if isinstance(prompt, str) else prompt[-1].get("text", "")
        with self.server.lock:
            self.server.in_flight += 1
            crowded = self.server.options.limit and self.server.in_flight > self.server.options.limit
            self.server.log.append({"time": time.time(), "body": body, "headers": dict(self.headers)})
            found = FAULT.match(prompt)
            tried = self.server.tries[prompt] = self.server.tries.get(prompt, 0) + 1
        try:
            if (most := self.server.options.answers) and len(self.server.log) > most:
                self.send(403, {"error": "this key has been revoked"})
            elif crowded:
                self.send(429, {"error": "slow down"})
            elif found and tried <= int(found.group(2)):
                self.fail(found.group(1), body)
            else:
                time.sleep(self.server.options.latency)
                chance = random.random()
                said = f"echo {prompt} seed {chance if chance < self.server.options.fickle else body['seed']}"
                said += self.told_key()
                self.send(200, self.reply(body, self.server.options.says or said))
        finally:
            with self.server.lock:
                self.server.in_flight -= 1

    def fail(self, kind: str, body: dict[str, Any]) -> None:
        if kind in REFUSALS:
            self.send(429, *REFUSALS[kind])
        elif kind == "stall":
            time.sleep(600)
        elif kind == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices"')
            # Closed with a reset, as a killed process does.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif kind == "slow":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.close_connection = True
            with suppress(ConnectionError):
                for _ in range(30):
                    self.wfile.write(b" ")
                    time.sleep(0.1)
        elif kind in UNUSABLE:
            self.send(200, UNUSABLE[kind])
        elif kind == "context":
            if "max_tokens" in body:
                return self.send(
                    400,
                    {
                        "error": {
                            "message": "max_tokens=2048 cannot be greater than 64. Please request fewer output tokens."
                        }
                    },
                )
            self.send(200, self.reply(body, "cut", "length"))
        elif kind == "reasoner":
            self.reason(body)
        elif kind == "endless":
            self.send(400, {"error": {"code": "context_length_exceeded"}})
        else:
            self.send(int(kind), {"error": f"failing with {kind}, key {self.told_key()}"})

    def reason(self, body: dict[str, Any]) -> None:
        """As a model that reasons: it takes no decoding field but one."""
        named = next((name for name in ("max_tokens", "temperature", "top_p", "seed") if name in body), None)
        if named is None:
            return self.send(200, self.reply(body, f"cut at {body['max_completion_tokens']}"))
        message = f"Unsupported parameter: '{named}' is not supported with this model."
        if named == "temperature":
            message = "Unsupported value: 'temperature' does not support 0 with this model."
        self.send(400, {"error": {"message": message, "param": named, "code": "unsupported_parameter"}})

    def told_key(self) -> str:
        """What a careless gateway tells: the key as it came, and encoded."""
        sent = self.headers.get("Authorization", "")
        return f" {sent} {quote(sent)} {base64.b64encode(sent.encode()).decode()}" if sent else ""

    def reply(self, body: dict[str, Any], text: str | None, reason: str = "stop") -> dict[str, Any]:
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        return {
            "model": body["model"],
            "choices": [{"message": {"content": text}, "finish_reason": reason}],
            "usage": usage,
        }

    def send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        payload = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)


@dataclass
class Served:
    """A fault server that runs."""

    url: str
    process: subprocess.Popen[str]

    @property
    def log(self) -> list[dict[str, Any]]:
        with urlopen(self.url.removesuffix("/v1") + "/log") as response:
            entries: list[dict[str, Any]] = json.load(response)
            return entries

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


Serve = Callable[..., Served]


def start(*options: str) -> Served:
    """Start a server in a process of its own."""
    process = subprocess.Popen([sys.executable, __file__, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return Served(f"http://127.0.0.1:{process.stdout.readline().strip()}/v1", process)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--owner", default="someone")
    parser.add_argument("--models", type=int, default=1, help="0: there is no list of models")
    parser.add_argument("--limit", type=int, default=0, help="requests in flight above which it answers 429")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--key", default="")
    parser.add_argument("--fickle", type=float, default=0.0, help="share of replies that do not depend on the seed")
    parser.add_argument("--answers", type=int, default=0, help="requests after which it answers 403 to all others")
    parser.add_argument("--says", default="", help="the reply to every prompt, instead of its echo")
    server = Server(parser.parse_args())
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
