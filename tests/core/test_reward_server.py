"""A reward over HTTP is the same reward, loses no request, and says what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from aiohttp.test_utils import TestClient, TestServer
from test_exported_rewards import ALONE, EXAMPLES, GROUPED, exported, samples

from judge_endpoint import Endpoint
from openvlt.errors import PluginError, UsageError
from openvlt.integrations import reward_client, reward_worker
from openvlt.integrations.claims import pack
from openvlt.integrations.reward_server import RewardServer
from openvlt.integrations.scores import exported as scores_of, reward_of, score_rows, write_client

pytestmark = pytest.mark.slow

EMPTY: dict[str, Any] = {"routes": {}, "verifiers": {}, "format": {}, "plugins": []}
PLAIN = {**EMPTY, "rewards": {"answer": 1.0}}
RIGHT = {"response": "<answer>2</answer>", "ground_truth": "2"}


@pytest.fixture(scope="module")
def server() -> Iterator[RewardServer]:
    with RewardServer(PLAIN, workers=2) as started:
        yield started


@pytest.fixture
def client(server: RewardServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OPENVLT_REWARDS", server.url)
    return reward_client


def got(url: str, body: bytes | None = None, method: str | None = None) -> tuple[int, Any]:
    try:
        with urlopen(Request(url, body, method=method), timeout=600) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize("recipe", [ALONE, GROUPED], ids=["alone", "grouped"])
def test_ten_thousand_claims_are_paid_as_in_this_process(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {**EMPTY, **recipe}
    rows = [{"response": response, "ground_truth": pack(example)} for example, response in samples(10_000)]
    function = reward_of(spec, workers=1)
    with RewardServer(spec, workers=2) as server:
        assert server.grouped == (["length"] if recipe is GROUPED else [])
        monkeypatch.setenv("OPENVLT_REWARDS", server.url)
        batches = [rows[at : at + 2560] for at in range(0, len(rows), 2560)]
        served = [reward_client.rewards(batch) for batch in batches]
    own = [[scores_of(row) for row in score_rows(batch, function)] for batch in batches]
    assert served == own
    assert len({score["overall"] for batch in own for score in batch}) > 5


def test_a_row_may_say_its_group(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {**EMPTY, "rewards": {"length": 1.0}, "verifiers": {"answer": "answer"}}
    rows = [{**RIGHT, "response": f"<think>{'so ' * n}</think><answer>2</answer>"} for n in (1, 9)]
    with RewardServer(spec) as server:
        monkeypatch.setenv("OPENVLT_REWARDS", server.url)
        alone = [row["overall"] for row in reward_client.rewards(rows)]
        together = [row["overall"] for row in reward_client.rewards([{**row, "group": 7} for row in rows])]
    assert alone[0] == alone[1]
    assert together[0] > together[1]


@pytest.mark.parametrize("limit", [{"MOST_ROWS": 7}, {"BODY_BYTES": 900}])
def test_a_batch_over_the_limits_is_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch, limit: dict[str, int]) -> None:
    """Of rows in any order, those of one question in one request."""
    spec = {**EMPTY, "rewards": {"length": 1.0}, "verifiers": {"answer": "answer"}}
    rows = [{**RIGHT, "response": f"<think>{'so ' * (n % 7)}</think><answer>2</answer>"} for n in range(30)]
    rows = [{**row, "group": n % 5} for n, row in enumerate(rows)]
    with RewardServer(spec) as server:
        monkeypatch.setenv("OPENVLT_REWARDS", f"{server.url}/")
        whole = reward_client.rewards(rows)
        for name, value in limit.items():
            monkeypatch.setattr(reward_client, name, value)
        assert reward_client.rewards(rows) == whole
        _, told = got(f"{server.url}/metrics")
    assert len({row["overall"] for row in whole}) > 3
    assert series(told)["openvlt_reward_requests_total", ()] > 4


@pytest.mark.parametrize("gold", [b"2", 2.0, "2", memoryview(b"2").tobytes()])
def test_a_gold_answer_may_be_whatever_a_table_has(client: Any, gold: Any) -> None:
    import numpy

    golds = [gold, numpy.array(gold), numpy.array([gold])[0]]
    assert [row["overall"] for row in client.rewards([{**RIGHT, "ground_truth": each} for each in golds])] == [1, 1, 1]


def test_a_slow_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            time.sleep(3)
            reply = b'{"scores": [{"overall": 1.0}]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENVLT_REWARDS", f"http://127.0.0.1:{server.server_port}")
    assert reward_client.rewards([RIGHT], patience=2) == [{"overall": 1.0}]
    server.shutdown()
    server.server_close()


def test_no_request_is_lost_when_a_process_is_killed(client: Any, server: RewardServer) -> None:
    """Killed again and again while it is asked; each answer must still be the right one."""
    asked = [[{**RIGHT, "response": f"<answer>{2 + (n + i) % 2}</answer>"} for i in range(40)] for n in range(150)]
    found: list[Any] = [None] * len(asked)

    def ask(first: int) -> None:
        for index in range(first, len(asked), 5):
            found[index] = [row["overall"] for row in client.rewards(asked[index])]

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(5)]
    for thread in threads:
        thread.start()
    killed = 0
    while any(thread.is_alive() for thread in threads):
        if killed < 6 and all(map(server._is_ready, server._processes)):
            os.kill(server.pids[killed % 2], signal.SIGKILL)
            killed += 1
        server.watch()
        time.sleep(0.05)
    assert killed
    assert found == [[float((n + i) % 2 == 0) for i in range(40)] for n in range(150)]
    status, told = got(f"{server.url}/metrics")
    assert status == 200
    assert series(told)["openvlt_reward_rows_total", ()] >= 6000  # those of killed processes too


NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(rf"({NAME.pattern})(?:\{{(.*)\}})? (\d+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def series(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], int]:
    """The samples of a page in the text format 0.0.4 of Prometheus, checked by its rules."""
    found, of, told, ended = dict[Any, int](), "", set[tuple[str, str]](), set[str]()
    assert page.endswith("\n")
    for line in page.splitlines():
        if line.startswith("#"):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("HELP", "TYPE") and NAME.fullmatch(name) and (what, name) not in told
            assert what == "HELP" or rest == "counter"
            told.add((what, name))
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            name, labels, value = sample[1], sample[2] or "", sample[3]
            assert LABEL.sub("", labels) == ""
            at = name, tuple((key, re.sub(r"\\(.)", _unescaped, text)) for key, text in LABEL.findall(labels))
            assert at not in found and {("HELP", name), ("TYPE", name)} <= told
            found[at] = int(value)
        assert name not in ended, "the lines of one metric are together"
        ended |= {of} - {name}
        of = name
    return found


def _unescaped(mark: re.Match[str]) -> str:
    return "\n" if mark[1] == "n" else mark[1]


def test_metrics_are_in_the_format_of_prometheus(tmp_path: Path) -> None:
    odd = 'a "judge"\n\\b'
    service = reward_worker.Service(tmp_path, reward_of(PLAIN), {})
    spec = {**EMPTY, "rewards": {"zeros": 1.0, odd: 1.0}, "verifiers": {"zeros": "answer", odd: "answer"}}
    assert set(series(service.metrics()).values()) == {0}, "a counter is there before its first event"
    rows = json.dumps({"rows": [RIGHT, {**RIGHT, "ground_truth": "3"}]}).encode()
    reward_worker.Service(tmp_path, reward_of(spec), {}).score(rows)

    async def asked() -> tuple[str, str]:
        async with TestClient(TestServer(reward_worker.application(service))) as client:
            reply = await client.get("/metrics")
            return reply.headers["Content-Type"], await reply.text()

    kind, page = asyncio.run(asked())
    assert kind == "text/plain; version=0.0.4"
    counts = series(page)
    assert (counts["openvlt_reward_requests_total", ()], counts["openvlt_reward_rows_total", ()]) == (1, 2)
    for verifier in (odd, "zeros"):
        for status in ("correct", "incorrect"):
            assert counts["openvlt_reward_verdicts_total", (("verifier", verifier), ("status", status))] == 1


BAD: dict[str, tuple[str, bytes | None, str | None, int, str]] = {
    "no JSON": ("/scores", b"{", None, 400, "not JSON with a list of objects named rows"),
    "no rows": ("/scores", b"{}", None, 400, "not JSON with a list of objects named rows"),
    "rows that are no objects": ("/scores", b'{"rows": [1]}', None, 400, "not JSON with a list of objects named rows"),
    "deep": ("/scores", b"[" * 100_000, None, 400, "not JSON with a list of objects named rows"),
    "a misspelt key": (
        "/scores",
        b'{"rows": [{"response": "x", "gold": "1"}]}',
        None,
        400,
        "Row 0 of the request has no ground_truth.",
    ),
    "too many": ("/scores", b'{"rows": [' + b"{}," * 20_000 + b"{}]}", None, 400, "The request has 20,001 rows."),
    "too large": ("/scores", b" " * (reward_worker.BODY_BYTES + 1), None, 413, "Request Entity Too Large."),
    "another page": ("/score", b"{}", None, 404, "Not Found."),
    "another method": ("/scores", None, "GET", 405, "Method Not Allowed."),
}


@pytest.mark.parametrize("mistake", BAD)
def test_what_cannot_be_answered_is_said_with_a_remedy(server: RewardServer, mistake: str) -> None:
    page, body, method, status, problem = BAD[mistake]
    found, told = got(server.url + page, body, method)
    assert found == status
    assert problem in told["problem"]
    assert told["remedy"]


def test_rows_may_hold_anything(client: Any) -> None:
    odd = [{"response": None, "ground_truth": float("nan")}, {"response": "\ud800", "ground_truth": [1]}]
    assert [row["overall"] for row in client.rewards([*odd, RIGHT])] == [0.0, 0.0, 1.0]
    with pytest.raises(RuntimeError, match="not JSON with a list"):
        client.rewards(7)


def test_the_client_speaks_for_each_trainer(server: RewardServer, tmp_path: Path) -> None:
    write_client(tmp_path, server.url)
    import runpy

    client = runpy.run_path(str(tmp_path / "reward.py"))
    verl = client["compute_score"]
    assert verl("s", RIGHT["response"], "2", {"index": 0})["score"] == 1.0
    choices = {"choices": ["1", "2"], "answer_type": "choice"}
    assert verl("s", "<answer>B</answer>", "2", choices)["score"] == 1.0
    packed = {"example": pack(EXAMPLES[0])}
    assert verl("s", "<answer>green</answer>", "?", packed) == {"score": 1.0, "answer": 1.0, "unscored": 0.0}
    assert [row["overall"] for row in verl([RIGHT, {**RIGHT, "ground_truth": "3"}])] == [1.0, 0.0]
    assert verl(reward_inputs=RIGHT)["overall"] == 1.0
    openrlhf = client["reward_func"](["Q? <answer>2</answer>"], ["Q? "], ["2"])
    assert openrlhf["rewards"].tolist() == openrlhf["extra_logs"]["answer"].tolist() == [1.0]
    sample = SimpleNamespace(response=RIGHT["response"], label="2", group_index=1)
    assert asyncio.run(client["custom_rm"](None, sample)) == 1.0
    assert asyncio.run(client["custom_rm"](None, [sample, sample])) == [1.0, 1.0]


def test_the_export_for_a_server_pays_what_the_export_itself_pays(tmp_path: Path, client: Any) -> None:
    own, rows = exported("verl", PLAIN, tmp_path)
    for example, response in samples(30):
        row = rows[example.id]
        arguments = (row["data_source"], response, row["reward_model"]["ground_truth"], row["extra_info"])
        assert client.compute_score(*arguments) == own(*arguments)


def test_a_judge_is_asked(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    monkeypatch.setenv("JUDGE_KEY", "secret-of-the-judge")
    monkeypatch.setenv("OPENVLT_KEYS", f"JUDGE_KEY@{endpoint.url.split('/')[2]}")
    endpoint.reply = lambda prompt: "Verdict: yes" if "right" in prompt else "Verdict: no"
    judge = {"use": "judge", "model": {"id": "judge", "url": [endpoint.url]}}
    spec = {**EMPTY, "rewards": {"judge": 1.0}, "verifiers": {"judge": judge, "unused": judge}}
    with RewardServer(spec) as server:
        monkeypatch.setenv("OPENVLT_REWARDS", server.url)
        found = reward_client.rewards(
            [{**RIGHT, "response": f"<answer>{word}</answer>"} for word in ("right", "wrong")]
        )
    assert [row["overall"] for row in found] == [1.0, 0.0]
    assert "Bearer secret-of-the-judge" in endpoint.keys


def test_what_keeps_it_from_serving_is_said_at_once(server: RewardServer) -> None:
    with pytest.raises(PluginError, match="Did you mean 'answer'"):
        RewardServer({**PLAIN, "rewards": {"anwser": 1.0}})
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=rf"Nothing can listen at 127.0.0.1:{port}"), RewardServer(PLAIN, port=port):
        pass
    judge = {"use": "judge", "model": {"id": "judge"}}
    with (
        pytest.raises(UsageError, match="asks 'judge', which no endpoint serves"),
        RewardServer({**PLAIN, "verifiers": {"judge": judge}, "rewards": {"judge": 1.0}}),
    ):
        pass


def test_what_is_in_flight_is_answered_before_the_end(
    monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    asked, free = threading.Event(), threading.Event()

    def reply(prompt: str) -> str:
        asked.set()
        free.wait(600)
        return "Verdict: yes"

    endpoint.reply = reply
    judge = {"use": "judge", "model": {"id": "judge", "url": [endpoint.url]}}
    found: list[Any] = []
    with RewardServer({**EMPTY, "rewards": {"judge": 1.0}, "verifiers": {"judge": judge}}) as server:
        monkeypatch.setenv("OPENVLT_REWARDS", server.url)
        thread = threading.Thread(target=lambda: found.extend(reward_client.rewards([RIGHT])))
        thread.start()
        assert asked.wait(600)
        threading.Timer(1.0, free.set).start()
    thread.join(600)
    assert [row["overall"] for row in found] == [1.0]
    assert not any(Path(f"/proc/{pid}").exists() for pid in server.pids)


@pytest.mark.parametrize(("length", "status"), [(10, 503), (reward_worker.BODY_BYTES + 1, 413)])
def test_a_process_that_holds_too_much_asks_to_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, length: int, status: int
) -> None:
    monkeypatch.setattr(reward_worker, "HELD_BYTES", 0)
    service = reward_worker.Service(tmp_path, reward_of(PLAIN), {})

    async def asked() -> tuple[int, str | None, Any]:
        async with TestClient(TestServer(reward_worker.application(service))) as client:
            reply = await client.post("/scores", data=b" " * length)
            return reply.status, reply.headers.get("Retry-After"), await reply.json()

    found, again, told = asyncio.run(asked())
    assert (found, again) == (status, "1" if status == 503 else None)
    assert told["remedy"]
