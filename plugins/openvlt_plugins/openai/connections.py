"""HTTP connections to the endpoints."""

from __future__ import annotations

import zlib
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from openvlt import is_this_machine
from openvlt_plugins.openai.replies import Failure, Response

LARGEST = 8 << 20
"""Bytes of a decompressed reply: ten times what 100,000 tokens take."""


class Connections:
    """Sends requests without a limit on their number. Cookies and ``~/.netrc`` are ignored.

    aiohttp is used because httpx scans all connections whenever a request begins or ends: with 32 in flight a request
    costs it about 7 ms of CPU time, ten times as much (`tests/benchmarks/openai_throughput.py`).

    Args:
        connect_timeout: seconds to establish a connection; the caller limits everything else.
    """

    def __init__(self, connect_timeout: float) -> None:
        self._timeout = ClientTimeout(total=None, sock_connect=connect_timeout)
        self._session: ClientSession | None = None

    async def send(self, url: str, key: str, content: bytes | None = None) -> Response:
        """Send a POST with JSON, or a GET without content, and read the whole response.

        Args:
            url: redirects are not followed, so that the key goes nowhere else.
            key: sent as a bearer token unless empty.
            content: of a POST.

        Raises:
            Failure: there was no complete response of at most `LARGEST` bytes.
        """
        if self._session is None:  # A session belongs to the event loop that creates it.
            self._session = ClientSession(
                connector=TCPConnector(limit=0), timeout=self._timeout, cookie_jar=DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}, auto_decompress=False,
            )  # fmt: skip
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if content:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                "GET" if content is None else "POST", url, data=content, allow_redirects=False, proxy=proxy_of(url),
                headers=headers,
            ) as response:  # fmt: skip
                return Response(response.status, await _body(response), response.headers.get("Retry-After", ""))
        except (ClientError, ValueError) as error:
            raise Failure("the connection to the endpoint failed", "down", detail=type(error).__name__) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def _body(response: ClientResponse) -> bytes:
    """The body, decompressed here with a limit: aiohttp would first unpack a small bomb of gzip as a whole."""
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding not in {"identity", "gzip", "x-gzip", "deflate"}:
        raise Failure("the endpoint's reply is compressed in an unknown way", "malformed")
    unpack = None if coding == "identity" else zlib.decompressobj(wbits=47)  # gzip or zlib, as its header says
    body = bytearray()
    async for part in response.content.iter_any():
        try:
            body += unpack.decompress(part, LARGEST + 1 - len(body)) if unpack else part
        except zlib.error as error:
            raise Failure("the endpoint's reply is malformed", "malformed") from error
        if len(body) > LARGEST:
            raise Failure(f"the endpoint's reply is over {LARGEST >> 20} MiB", "malformed")
    return bytes(body)


@cache
def proxy_of(url: str) -> str | None:
    """The environment's proxy for an endpoint, with its user and password if it has them.

    aiohttp can look it up, but does so in a thread for every request, and also reads passwords from ``~/.netrc``.
    """
    endpoint, proxies = urlsplit(url), getproxies()
    host = endpoint.hostname or ""
    if is_this_machine(host):
        return None  # A key for this machine may be sent unencrypted, so it must not leave it.
    named = proxies.get(endpoint.scheme) or proxies.get("all")
    if not named or proxy_bypass(host):
        return None
    return named if "://" in named else f"http://{named}"
