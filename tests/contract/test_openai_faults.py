"""The backend openai against a server that fails in every way a server fails."""

from __future__ import annotations

import base64
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from fault_server import Serve, Served
from PIL import Image as Pictures

from openvlt import Completion, Image, Model, Rejected, RemoteError, Request, Sampling, UsageError
from openvlt_plugins.openai.backend import OpenAIBackend
from openvlt_plugins.openai.connections import proxy_of
from openvlt_plugins.openai.replies import Failure, Response, completion
from tiny_models import picture, request

SAMPLING = Sampling(max_tokens=8, temperature=0.7)
KEY = "sk-very-secret"


def model(*served: Served) -> Model:
    return Model(id="tiny", url=tuple(each.url for each in served))


def answers(
    served: Served | tuple[Served, ...], requests: list[Request], **options: Any
) -> list[list[Completion] | Rejected]:
    fleet = served if isinstance(served, tuple) else (served,)
    with OpenAIBackend(**options).open(model(*fleet), picture) as engine:
        return list(engine.generate(requests, SAMPLING))  # type: ignore[arg-type]


def rejected(reply: object) -> Rejected:
    assert isinstance(reply, Rejected), reply
    return reply


def test_faults_that_pass_are_survived(serve: Serve) -> None:
    faults = ("429", "500", "502", "503", "408", "after", "cut", "slow", "malformed", "empty", "nothing")
    requests = [request(f"{fault} x1 please") for fault in faults]
    for fault, reply in zip(faults, answers(serve(), requests, timeout=2.0), strict=True):
        assert isinstance(reply, list), (fault, reply)
        assert reply[0].text.startswith(f"echo {fault} x1")
        assert (reply[0].prompt_tokens, reply[0].completion_tokens) == (7, 3)


@pytest.mark.parametrize(
    ("fault", "reason", "transient"),
    [
        ("500", "the endpoint returned 500", True),
        ("cut", "the connection to the endpoint failed", True),
        ("slow", "the endpoint took too long", True),
        ("malformed", "the endpoint's reply is malformed", False),
        ("empty", "the endpoint's reply is malformed", False),
        ("nothing", "the endpoint's reply is empty", False),
    ],
)
def test_a_fault_that_stays_is_a_rejection(serve: Serve, fault: str, reason: str, transient: bool) -> None:
    limited = fault == "slow"  # a busy machine may be too slow for what is fine, too
    asked = [request(f"{fault} x99")] if limited else [request(f"{fault} x99"), request("fine")]
    bad, *others = answers(serve(), asked, retries=1, timeout=0.5 if limited else 600.0)
    assert all(isinstance(each, list) for each in others)
    assert (rejected(bad).reason, rejected(bad).transient) == (reason, transient)


def test_retry_after_is_honoured(serve: Serve) -> None:
    served = serve()
    answers(served, [request("after x1 go")])
    first, second = (entry["time"] for entry in served.log)
    assert second - first >= 0.6


def test_retry_after_may_be_a_date() -> None:
    def pause(value: str) -> float:
        with pytest.raises(Failure) as caught:
            completion(Response(429, b"", value), 784_111_777.0)
        return caught.value.pause

    assert pause("Sun, 06 Nov 1994 08:49:57 GMT") == 20.0
    assert pause("Sun, 06 Nov 1994 08:49:17 GMT") == 0.0
    assert (pause("7"), pause("-7"), pause("soon"), pause("")) == (7.0, 0.0, 0.0, 0.0)


def test_a_server_that_asks_to_wait_for_hours_is_given_up(serve: Serve) -> None:
    start = time.monotonic()
    replies = answers(serve(), [request(f"tomorrow x1 number {place}") for place in range(200)], patience=0.5)
    assert all(rejected(reply).transient for reply in replies)
    assert time.monotonic() - start < 120


def test_a_busy_server_is_asked_less(serve: Serve) -> None:
    served = serve("--limit", "4", "--latency", "0.02")
    replies = answers(served, [request(f"number {place}") for place in range(200)], concurrency=64)
    assert all(isinstance(reply, list) for reply in replies), "a busy server loses nothing"
    assert len(served.log) < 600, "it was asked again and again"


def test_the_total_limit_ends_waiting(serve: Serve) -> None:
    start = time.monotonic()
    (reply,) = answers(serve(), [request("429 x9999")], total_timeout=1.0)
    assert rejected(reply).transient and time.monotonic() - start < 120


def test_an_over_long_prompt_is_permanent(serve: Serve) -> None:
    cut, endless = answers(serve(), [request("context x99"), request("endless x99")])
    assert isinstance(cut, list) and cut[0].finish_reason == "length", "only prompt and limit together were too long"
    assert not rejected(endless).transient and "context" in rejected(endless).reason


def test_a_refusal_is_permanent_once_the_endpoint_has_answered(serve: Serve) -> None:
    served = serve()
    with OpenAIBackend().open(model(served), picture) as engine:
        (before,) = engine.generate([request("400 x99")], SAMPLING)
        engine.generate([request("fine")], SAMPLING)
        (after,) = engine.generate([request("400 x99 again")], SAMPLING)
    assert rejected(before).transient and not rejected(after).transient


def test_a_refusal_waits_for_the_first_answer(serve: Serve) -> None:
    with OpenAIBackend().open(model(serve("--latency", "2")), picture) as engine:
        refused, answered = engine.generate([request("400 x99"), request("fine")], SAMPLING)
    assert isinstance(answered, list)
    assert not rejected(refused).transient, "the endpoint answers others, only not as fast as it refuses"


def test_a_key_that_is_revoked_is_no_fault_of_the_last_requests(serve: Serve) -> None:
    with OpenAIBackend().open(model(serve("--answers", "2")), picture) as engine:
        assert all(isinstance(each, list) for each in engine.generate([request("one"), request("two")], SAMPLING))
        late = engine.generate([request(f"late {place}") for place in range(5)], SAMPLING)
    assert all(rejected(each).transient for each in late)


def test_a_model_that_is_not_served_is_named_at_once(serve: Serve) -> None:
    with pytest.raises(RemoteError, match=r"serves no model 'tiny'. It serves: other"):
        answers(serve("--model", "other"), [])
    with pytest.raises(RemoteError, match="serves no model 'tiny'"):
        answers(serve("--models", "0"), [request("404 x99")])


def test_the_key_is_sent_and_never_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    served = serve("--key", KEY)
    monkeypatch.setenv("MY_KEY", KEY)
    with pytest.raises(RemoteError, match=r"without an API key\. Bind one: --key-env NAME@127.0.0.1:"):
        answers(served, [])
    monkeypatch.setenv("OPENVLT_KEYS", "MY_KEY@127.0.0.1")
    (reply,) = answers(served, [request("400 x99")])
    assert served.log[0]["headers"]["Authorization"] == f"Bearer {KEY}"
    with pytest.raises(RemoteError, match=r"refuses the API key in \$MY_KEY") as caught:
        answers(served, [request("401 x99")])
    told = [str(reply), caplog.text, str(caught.value), repr(caught.value.__context__)]
    assert not any(KEY in text for text in told)
    monkeypatch.setenv("OPENVLT_KEYS", "UNSET_KEY@127.0.0.1")
    with pytest.raises(UsageError, match=r"\$UNSET_KEY, whose key is bound to 127.0.0.1"):
        answers(served, [])


def test_a_password_in_the_url_is_refused() -> None:
    with (
        pytest.raises(UsageError) as caught,
        OpenAIBackend().open(Model(id="tiny", url=("http://me:secret@host/v1",)), picture),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_samples_are_requests_with_seeds_of_their_own(serve: Serve) -> None:
    served = serve()
    (first,) = answers(served, [request("hello", samples=(0, 1, 2))])
    (again,) = answers(served, [request("hello", samples=(2,))])
    assert isinstance(first, list) and isinstance(again, list)
    assert len({completion.text for completion in first}) == 3 and again[0] == first[2]
    assert all(entry["body"].get("n", 1) == 1 for entry in served.log)


@pytest.mark.parametrize(("owner", "sent"), [("vllm", True), ("openai", False)])
def test_only_servers_that_know_them_get_further_fields(serve: Serve, owner: str, sent: bool) -> None:
    served = serve("--owner", owner)
    answers(served, [request("hello")])
    assert ("repetition_penalty" in served.log[0]["body"]) == sent
    assert {"temperature", "top_p", "max_tokens", "seed"} <= served.log[0]["body"].keys()


def test_further_fields_of_a_body_are_sent_and_replace_none(serve: Serve) -> None:
    served = serve()
    sampling = Sampling(max_tokens=8, presence_penalty=0.5, extra_body={"min_p": 0.1, "max_tokens": 9})
    with OpenAIBackend().open(Model(id="tiny", url=(served.url,)), picture) as engine:
        engine.generate([request("hello")], sampling)
        engine.generate([request("hello")], SAMPLING)
    first, plain = (entry["body"] for entry in served.log[:2])
    assert (first["min_p"], first["presence_penalty"], first["max_tokens"]) == (0.1, 0.5, 8)
    assert not {"min_p", "presence_penalty"} & plain.keys()


def test_fields_that_a_model_does_not_take_are_learnt(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    served = serve()
    replies = answers(served, [request(f"reasoner x99 {number}") for number in range(8)], retries=0)
    assert [reply[0].text for reply in replies if isinstance(reply, list)] == ["cut at 8"] * 8
    told = [record.getMessage() for record in caplog.records if "the model takes no" in record.getMessage()]
    assert len(told) == 4 and any("takes no temperature, which has the model's default" in line for line in told)


def test_images_travel_as_data_urls_within_the_pixel_limits(serve: Serve) -> None:
    served = serve()
    with OpenAIBackend().open(Model(id="tiny", url=(served.url,), pixels=(1, 32 * 32)), picture) as engine:
        engine.generate([request(Image("red", 128, 32), "What?")], SAMPLING)
    image, text = served.log[0]["body"]["messages"][0]["content"]
    assert text == {"type": "text", "text": "What?"}
    sent = Pictures.open(BytesIO(base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))))
    assert sent.size == (64, 16) and sent.getpixel((0, 0)) == (220, 20, 20)


def test_many_threads_share_the_endpoint(serve: Serve) -> None:
    served = serve("--latency", "0.02")
    with OpenAIBackend(concurrency=16).open(model(served), picture) as engine, ThreadPoolExecutor(8) as pool:
        chunks = [[request(f"chunk {chunk} row {row}") for row in range(8)] for chunk in range(8)]
        replies = list(pool.map(lambda chunk: engine.generate(chunk, SAMPLING), chunks))
    for chunk, row in ((chunk, row) for chunk in range(8) for row in range(8)):
        reply = replies[chunk][row]
        assert not isinstance(reply, Rejected) and reply[0].text.startswith(f"echo chunk {chunk} row {row} ")


def test_enough_requests_are_prepared_for_every_concurrency() -> None:
    for concurrency in (1, 8, 64, 512):
        backend = OpenAIBackend(concurrency=concurrency)
        assert backend.chunk == 1 and backend.parallel > concurrency


def test_a_dead_endpoint_is_left_out_and_used_again(serve: Serve) -> None:
    stays, dies = serve("--latency", "0.01"), serve("--latency", "0.01")
    with OpenAIBackend(concurrency=4).open(model(stays, dies), picture) as engine:
        dies.stop()
        replies = engine.generate([request(f"number {place}") for place in range(60)], SAMPLING)
        assert not any(isinstance(reply, Rejected) for reply in replies)
        back = serve("--port", dies.url.split(":")[-1].removesuffix("/v1"), "--latency", "0.01")
        deadline = time.monotonic() + 600
        while not back.log and time.monotonic() < deadline:
            engine.generate([request(f"later {time.monotonic()} {place}") for place in range(20)], SAMPLING)
    assert back.log, "the endpoint came back and was never asked"


def test_an_endpoint_that_dies_gives_transient_rejections_soon(serve: Serve) -> None:
    served = serve()
    with OpenAIBackend(patience=0.5, retries=3).open(model(served), picture) as engine:
        served.stop()
        start = time.monotonic()
        replies = engine.generate([request(f"number {place}") for place in range(100)], SAMPLING)
    assert all(rejected(reply).transient for reply in replies)
    assert time.monotonic() - start < 120


def test_an_endpoint_that_starts_late_is_asked_as_what_it_is(serve: Serve) -> None:
    first, late = serve("--latency", "0.05"), serve()
    late.stop()
    with OpenAIBackend(concurrency=2).open(model(first, late), picture) as engine:
        started = serve("--port", late.url.split(":")[-1].removesuffix("/v1"), "--owner", "vllm", "--latency", "0.01")
        engine.generate([request(f"number {place}") for place in range(40)], SAMPLING)
    assert started.log and all("top_k" in entry["body"] for entry in started.log)


def test_a_key_that_no_header_may_hold_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-se\ncret")
    monkeypatch.setenv("OPENVLT_KEYS", "OPENAI_API_KEY@127.0.0.1")
    with (
        pytest.raises(UsageError, match="OPENAI_API_KEY cannot be sent") as caught,
        OpenAIBackend().open(Model(id="tiny", url=("http://127.0.0.1:9/v1",)), picture),
    ):
        pass
    assert "cret" not in str(caught.value)


def test_a_proxy_of_the_environment_is_used_with_its_password(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve()
    with monkeypatch.context() as patch:
        patch.setenv("http_proxy", proxy.url.replace("http://", "http://us%40er:pw@"))
        for name in ("HTTP_PROXY", "no_proxy", "NO_PROXY"):
            patch.delenv(name, raising=False)
        nowhere = Model(id="tiny", url=("http://endpoint.invalid/v1",))
        with OpenAIBackend().open(nowhere, picture) as engine:
            engine.generate([request("hello")], SAMPLING)
        patch.setenv("no_proxy", "*")
        (asked,) = proxy.log
    assert asked["headers"]["Host"] == "endpoint.invalid"
    assert base64.b64decode(asked["headers"]["Proxy-Authorization"].removeprefix("Basic ")) == b"us@er:pw"


def test_what_is_for_this_machine_does_not_leave_it_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    assert proxy_of("http://elsewhere.invalid/v1") == "http://proxy.invalid"
    for host in ("localhost", "127.0.0.1:9", "[::1]:9"):
        assert proxy_of(f"http://{host}/v1") is None


def test_no_endpoint_at_all_is_said_at_once() -> None:
    nobody = Model(id="tiny", url=("http://127.0.0.1:9/v1", "http://127.0.0.1:99/v1"))
    with pytest.raises(RemoteError, match="No endpoint of 'tiny' responds"), OpenAIBackend().open(nobody, picture):
        pass


def test_a_model_without_url_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="has no URL"), OpenAIBackend().open(Model(id="tiny"), picture):
        pass


def test_reasoning_that_a_server_cut_out_is_put_back() -> None:
    def reply(**message: Any) -> str:
        choices = [{"message": message, "finish_reason": "stop"}]
        return completion(Response(200, json.dumps({"choices": choices}).encode()), 0.0).text

    assert reply(content="yes", reasoning_content="It is red.") == "<think>It is red.</think>\nyes"
    assert reply(content=None, reasoning="It is") == "<think>It is"


REFUSED, TRANSIENT, ENDS = "refused for good", "transient", "ends the run"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "one", "asked", "all_of_them"),
    [
        ("400", REFUSED, 2, "answered none of"),
        ("403", REFUSED, 3, "answered none of"),
        ("413", REFUSED, 2, "answered none of"),
        ("451", REFUSED, 2, "answered none of"),
        ("301", REFUSED, 2, "answered none of"),
        ("filtered", REFUSED, 1, ""),
        ("endless", REFUSED, 2, ""),
        ("malformed", REFUSED, 4, "answered none of"),
        ("nested", REFUSED, 4, "answered none of"),
        ("empty", REFUSED, 4, "answered none of"),
        ("nothing", REFUSED, 4, "answered none of"),
        ("401", ENDS, 1, "refuses requests without an API key"),
        ("402", TRANSIENT, 3, "has no quota left"),
        ("quota", TRANSIENT, 3, "has no quota left"),
        ("404", TRANSIENT, 3, "serves no model"),
        ("500", TRANSIENT, 3, ""),
        ("429", TRANSIENT, None, ""),
        ("503", TRANSIENT, None, ""),
    ],
)
def test_what_each_failure_means(serve: Serve, fault: str, one: str, asked: int | None, all_of_them: str) -> None:
    """Of one request among answered ones, and of every request: the rule of `docs/backends.md`."""
    served = serve()
    few: dict[str, Any] = {"retries": 2, "total_timeout": 8.0, "patience": 4.0, "concurrency": 8}
    with OpenAIBackend(**few).open(model(served), picture) as engine:
        engine.generate([request("fine")], SAMPLING)
        if one == ENDS:
            with pytest.raises(RemoteError, match=all_of_them):
                engine.generate([request(f"{fault} x999 one")], SAMPLING)
        else:
            (reply,) = engine.generate([request(f"{fault} x999 one")], SAMPLING)
            assert rejected(reply).transient == (one == TRANSIENT)
    if asked:
        assert len(served.log) == 1 + asked
    served = serve()
    with OpenAIBackend(**few).open(model(served), picture) as engine, ThreadPoolExecutor(8) as pool:
        rows = [[request(f"{fault} x999 {place}")] for place in range(150)]
        replies = list(pool.map(lambda row: outcome(engine, row), rows))
    ends = [reply for reply in replies if isinstance(reply, RemoteError)]
    assert all(all_of_them in str(error) for error in ends) and bool(ends) == bool(all_of_them)
    if all_of_them:
        assert len(served.log) <= 100, "it was asked again and again"
        assert all(reply.transient for reply in replies if isinstance(reply, Rejected)), (
            "for none is the request to blame"
        )


def outcome(engine: Any, requests: list[Request]) -> Rejected | RemoteError:
    try:
        return rejected(engine.generate(requests, SAMPLING)[0])
    except RemoteError as error:
        return error


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["429", "503", "500"])
def test_an_endpoint_that_answers_nobody_is_asked_ever_less(serve: Serve, fault: str) -> None:
    served = serve()
    with OpenAIBackend(patience=5.0).open(model(served), picture) as engine, ThreadPoolExecutor(64) as pool:
        rows = [[request(f"{fault} x9999 {place}")] for place in range(500)]
        replies = list(pool.map(lambda row: outcome(engine, row), rows))
    assert all(isinstance(reply, Rejected) and reply.transient for reply in replies)
    assert len(served.log) < 200


def test_replies_on_the_way_are_kept_when_the_quota_ends(serve: Serve) -> None:
    served = serve("--latency", "1.5")
    with OpenAIBackend(concurrency=16).open(model(served), picture) as engine, ThreadPoolExecutor(16) as pool:
        paid = [pool.submit(engine.generate, [request(f"paid {place}")], SAMPLING) for place in range(8)]
        while len(served.log) < 8:
            time.sleep(0.01)
        unpaid = [[request(f"quota x999 {place}")] for place in range(8)]
        ended = list(pool.map(lambda row: outcome(engine, row), unpaid))
        assert all(not isinstance(each.result()[0], Rejected) for each in paid)
    assert any(isinstance(each, RemoteError) for each in ended)
