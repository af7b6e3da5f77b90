"""A judge behind an OpenAI-compatible endpoint of this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Endpoint:
    """Answers chat requests with `reply(prompt)`; None is a refusal, POLICY one for its content, DOWN an error of the
    server, CUT is cut short."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.temperatures: set[float] = set()
        self.keys: set[str] = set()
        self.reply: Callable[[str], str | None] = lambda prompt: "A"
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                endpoint.keys.add(self.headers.get("Authorization", ""))
                self.answer(200, {"data": [{"id": "judge", "owned_by": "test"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                content = body["messages"][-1]["content"]
                prompt = (
                    content if isinstance(content, str) else "".join(part.get("text", "<image>") for part in content)
                )
                endpoint.prompts.append(prompt)
                endpoint.keys.add(self.headers.get("Authorization", ""))
                endpoint.temperatures.add(body["temperature"])
                said = endpoint.reply(prompt)
                if said is None:
                    self.answer(400, {"error": {"message": "the judge is out to lunch"}})
                    return
                if said == "POLICY":
                    self.answer(400, {"error": {"code": "content_policy_violation", "message": "no"}})
                    return
                if said == "DOWN":
                    self.answer(500, {"error": {"message": "the server is in trouble"}})
                    return
                choice = {"message": {"content": said}, "finish_reason": "length" if said == "CUT" else "stop"}
                self.answer(200, {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})

            def answer(self, code: int, told: Any) -> None:
                content = json.dumps(told).encode()
                with suppress(ConnectionError):  # whoever asked may have given up
                    self.send_response(code)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        Thread(target=self.server.serve_forever, daemon=True).start()
