"""HTTP connections to the endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from openvlt_plugins.openai.messages import Failure, Response


class Connections:
    """Sends requests without a limit on their number. Cookies and ``~/.netrc`` are ignored.

    aiohttp is used because httpx scans all connections whenever a request begins or ends: with 32 in flight a request
    costs it about 7 ms of CPU time, ten times as much (`tests/benchmarks/openai_throughput.py`).

    Args:
        headers: of every request.
        connect_timeout: seconds to establish a connection; the caller limits everything else.
    """

    def __init__(self, headers: Mapping[str, str], connect_timeout: float) -> None:
        self._headers, self._timeout = headers, ClientTimeout(total=None, sock_connect=connect_timeout)
        self._session: ClientSession | None = None

    async def send(self, url: str, content: bytes | None = None) -> Response:
        """Send a POST with JSON, or a GET without content, and read the whole response.

        Raises:
            Failure: there was no complete response.
        """
        if self._session is None:  # A session belongs to the event loop that creates it.
            self._session = ClientSession(
                connector=TCPConnector(limit=0), timeout=self._timeout, headers=self._headers,
                cookie_jar=DummyCookieJar(),
            )  # fmt: skip
        try:
            async with self._session.request(
                "GET" if content is None else "POST", url, data=content, allow_redirects=False, proxy=_proxy(url),
                headers={"Content-Type": "application/json"} if content else None,
            ) as response:  # fmt: skip
                return Response(response.status, await response.read(), response.headers.get("Retry-After", ""))
        except (ClientError, ValueError) as error:
            raise Failure("the connection to the endpoint failed", "down", detail=type(error).__name__) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@cache
def _proxy(url: str) -> str | None:
    """The environment's proxy for an endpoint, with its user and password if it has them.

    aiohttp can look it up, but does so in a thread for every request, and also reads passwords from ``~/.netrc``.
    """
    endpoint, proxies = urlsplit(url), getproxies()
    named = proxies.get(endpoint.scheme) or proxies.get("all")
    if not named or proxy_bypass(endpoint.hostname or ""):
        return None
    return named if "://" in named else f"http://{named}"
