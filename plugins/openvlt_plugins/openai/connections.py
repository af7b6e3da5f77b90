"""The connections beneath httpx's requests and responses."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx
from aiohttp import BasicAuth, ClientError, ClientSession, ClientTimeout, TCPConnector


class Connections(httpx.AsyncBaseTransport):
    """Sends requests over aiohttp, as many at a time as are asked for.

    httpx's own pool looks at every connection whenever a request begins or ends: with 32 in flight a request costs it
    some 7 ms of CPU time, with aiohttp a tenth of it (`tests/benchmarks/openai_throughput.py`).

    Args:
        patience: seconds until a connection that is not made counts as failed; all else is for the caller to limit.
    """

    def __init__(self, patience: float) -> None:
        self._timeout = ClientTimeout(total=None, sock_connect=patience)
        self._session: ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read all of the answer.

        Raises:
            httpx.TransportError: there was no whole answer.
        """
        if self._session is None:  # It belongs to the loop it is made on.
            self._session = ClientSession(connector=TCPConnector(limit=0), timeout=self._timeout)
        asked = self._session.request(
            request.method, str(request.url), data=request.content, allow_redirects=False,
            headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw],
            **_proxy(request.url.scheme, request.url.host),
        )  # fmt: skip
        try:
            async with asked as answer:
                content = await answer.read()
        except ClientError as error:
            raise httpx.TransportError(type(error).__name__, request=request) from error
        # aiohttp has decompressed it.
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-encoding"]
        return httpx.Response(answer.status, headers=headers, content=content, request=request)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


@cache
def _proxy(scheme: str, host: str) -> dict[str, Any]:
    """The arguments that send a request through the proxy which the environment names for a host.

    aiohttp looks for it too, but for every request and in a thread, and takes passwords from ``~/.netrc`` besides.
    """
    proxies = getproxies()
    named = proxies.get(scheme) or proxies.get("all")
    if not named or proxy_bypass(host):
        return {}
    proxy = httpx.Proxy(named if "://" in named else f"http://{named}")
    return {"proxy": str(proxy.url), "proxy_auth": BasicAuth(*proxy.auth) if proxy.auth else None}
