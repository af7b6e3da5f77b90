"""HTTP connections to the endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from openvlt_plugins.openai.messages import Failure, Response


class Connections:
    """Sends requests, as many at a time as are asked for. Cookies and ``~/.netrc`` count for nothing.

    aiohttp, since httpx looks at every connection whenever a request begins or ends: with 32 in flight a request costs
    it some 7 ms of CPU time, ten times as much (`tests/benchmarks/openai_throughput.py`).

    Args:
        headers: of every request.
        patience: seconds until a connection that is not made counts as failed; all else is for the caller to limit.
    """

    def __init__(self, headers: Mapping[str, str], patience: float) -> None:
        self._headers, self._timeout = headers, ClientTimeout(total=None, sock_connect=patience)
        self._session: ClientSession | None = None

    async def send(self, url: str, content: bytes | None = None) -> Response:
        """Post JSON, or get if there is no content, and read all of the response.

        Raises:
            Failure: there was no whole response.
        """
        if self._session is None:  # It belongs to the loop it is made on.
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
    """The proxy that the environment names for an endpoint, perhaps with a name and password.

    aiohttp looks for it too, but for every request and in a thread, and takes passwords from ``~/.netrc`` besides.
    """
    endpoint, proxies = urlsplit(url), getproxies()
    named = proxies.get(endpoint.scheme) or proxies.get("all")
    if not named or proxy_bypass(endpoint.hostname or ""):
        return None
    return named if "://" in named else f"http://{named}"
