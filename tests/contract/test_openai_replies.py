"""Whatever an endpoint sends is a completion or a failure of a known kind, and an error of openvlt at worst."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from openvlt import Completion, Model, Rejected, Sampling
from openvlt.errors import OpenvltError
from openvlt_plugins.openai.backend import OpenAIBackend
from openvlt_plugins.openai.replies import RULES, Failure, Response, completion, served_models
from tiny_models import picture, request

GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def spoilt(value: Any) -> st.SearchStrategy[Any]:
    """The value, with any part of it replaced by garbage or left out."""
    parts: list[st.SearchStrategy[Any]] = [st.just(value), GARBAGE]
    if isinstance(value, dict):
        parts.append(st.fixed_dictionaries({}, optional={key: spoilt(each) for key, each in value.items()}))
    if isinstance(value, list):
        parts.append(st.tuples(*map(spoilt, value)).map(list))
    return st.one_of(*parts)


REPLY = {
    "id": "x",
    "choices": [
        {
            "message": {"content": [{"type": "text", "text": "yes"}], "reasoning_content": "since", "reasoning": ""},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}
MODELS = {"data": [{"id": "tiny", "owned_by": "vllm"}]}
BODIES = st.one_of(
    spoilt(REPLY).map(lambda reply: json.dumps(reply).encode()),
    spoilt(MODELS).map(lambda reply: json.dumps(reply, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=64),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b'"\\ud800"', b"", b"null", b"\xff\xfe{}"]),
)


@settings(max_examples=300, deadline=None)
@given(st.integers(100, 999), BODIES, st.text(st.characters(), max_size=40) | st.floats().map(str))
def test_any_reply_is_a_completion_or_a_failure(status: int, body: bytes, retry_after: str) -> None:
    for each in (status, 200):
        try:
            made = completion(Response(each, body, retry_after), 1e9)
        except Failure as failure:
            assert failure.category in RULES and 0 <= failure.pause <= 86_400
            failure.detail.encode()
        else:
            assert isinstance(made.prompt_tokens, int) and isinstance(made.completion_tokens, int)
            made.text.encode()
    assert all(isinstance(owner, str) for owner in served_models(body).values())


def test_what_is_usable_is_used() -> None:
    def read(content: Any, usage: Any = None) -> Completion:
        reply = {"choices": [{"message": {"content": content}}], "usage": usage}
        return completion(Response(200, json.dumps(reply).encode()), 0.0)

    parts = [{"type": "text", "text": "a"}, {"type": "other"}, {"type": "text", "text": "b"}]
    assert read(parts).text == "ab"
    assert read("cut \ud83d").text == "cut \ufffd" and read("\ud83d\ude00").text == "\U0001f600"
    for usage in ("many", [1], {"prompt_tokens": "7"}, {"prompt_tokens": -1}, {"completion_tokens": 1e400}, 7):
        assert (read("yes", usage).text, read("yes", usage).prompt_tokens) == ("yes", 0)


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("-1", 0), ("1e400", 86_400), ("nan", 0), ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400), ("\udcff", 0),
        ("Mon, 99 Xxx 0000 99:99:99 GMT", 0), ("7", 7), ("9" * 400, 86_400), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    ],
)  # fmt: skip
def test_a_pause_is_a_number_of_seconds(value: str, pause: float) -> None:
    with pytest.raises(Failure) as caught:
        completion(Response(429, b"", value), 0.0)
    assert caught.value.pause in {pause, 0}


def read_whole(connection: socket.socket) -> None:
    """Read a request with its body: closing a connection with unread bytes resets it, and the reply is lost."""
    with connection.makefile("rb") as request:
        length = 0
        while line := request.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        request.read(length)


@contextmanager
def raw(answers: list[bytes], *, endless: bytes = b"") -> Iterator[str]:
    """A server that answers a list of models, then these bytes in turn, the last for ever.

    It closes each connection and says so, or the next request may be sent on one that is about to be closed.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    models = json.dumps(MODELS).encode()
    said = [of(models, b"Connection: close"), *answers]

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                read_whole(connection)
                first = len(said) > len(answers)
                connection.sendall(said.pop(0) if len(said) > 1 else said[0])
                while endless and not first:
                    connection.sendall(endless)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.close()


def ask(url: str) -> Rejected | Sequence[Completion]:
    with OpenAIBackend(retries=0, timeout=300.0).open(Model(id="tiny", url=(url,)), picture) as engine:
        (reply,) = engine.generate([request("hello")], Sampling())
    return reply


def of(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


BOMB = gzip.compress(b"0" * (64 << 20), 9)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "endless"),
    [
        (of(b"0" * (9 << 20)), b""),
        (of(BOMB, b"Content-Encoding: gzip"), b""),
        (of(zlib.compress(b"0" * (64 << 20), 9), b"Content-Encoding: deflate"), b""),
        (CHUNKED, b"10000\r\n" + b"0" * 65536 + b"\r\n"),
    ],
    ids=["long", "gzip", "deflate", "endless"],
)
def test_a_reply_has_a_limit(answer: bytes, endless: bytes) -> None:
    with raw([answer], endless=endless) as url:
        tracemalloc.start()
        reply = ask(url)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert isinstance(reply, Rejected) and reply.reason == "the endpoint's reply is over 8 MiB"
    assert peak < 40 << 20


def test_a_redirect_is_not_followed() -> None:
    """Whoever answers could name another host, which would get the prompt and the key."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        place = b"Location: http://127.0.0.1:%d/v1" % other.getsockname()[1]
        for status in (b"301", b"302", b"307", b"308"):
            answer = b"\r\n".join([b"HTTP/1.1 %s Moved" % status, place, b"Content-Length: 0", b"", b""])
            with raw([answer]) as url, suppress(OpenvltError):
                assert isinstance(ask(url), Rejected)
        with pytest.raises(TimeoutError):
            other.accept()


def test_a_compressed_reply_is_read() -> None:
    body = json.dumps(REPLY).encode()
    answers = [
        of(gzip.compress(body), b"Content-Encoding: gzip"),
        of(zlib.compress(body), b"Content-Encoding: DEFLATE"),
    ]
    for answer in answers:
        with raw([answer]) as url:
            reply = ask(url)
        assert not isinstance(reply, Rejected) and reply[0].text == "<think>since</think>\nyes"


HEADERS = st.lists(
    st.binary(max_size=40).map(lambda value: b"X: " + value)
    | st.tuples(
        st.sampled_from([b"Content-Encoding", b"Retry-After", b"Content-Type", b"Set-Cookie", b"Location", b"Date"]),
        st.binary(max_size=20),
    ).map(b": ".join),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([200, 301, 403, 429, 503, 600]), HEADERS, BODIES), min_size=1, max_size=2))
def test_any_bytes_end_in_a_reply_or_a_sentence(said: list[tuple[int, list[bytes], bytes]]) -> None:
    answers = [
        b"\r\n".join([b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *headers, b"", body])
        for status, headers, body in said
    ]
    with raw([*answers, of(json.dumps(REPLY).encode())]) as url:
        try:
            ask(url)
        except OpenvltError as error:
            str(error).encode()
