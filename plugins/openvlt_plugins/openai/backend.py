"""The backend ``openai``: one or more OpenAI-compatible endpoints that serve the same model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from openvlt import Backend, Engine, ImageReader, Model, Option, UsageError


@dataclass(frozen=True)
class OpenAIBackend(Backend):
    """Sends requests to endpoints over HTTP, as fast as they allow; the next run retries those that failed.

    Every sample is a separate request with its own seed, so a server needs to support only ``n=1``, and more samples
    keep the first ones if the server honours seeds. The API key is read from the environment, and only the endpoints
    receive it.
    """

    concurrency: Annotated[int, Option("requests in flight per endpoint", affects_output=False)] = 64
    timeout: Annotated[float, Option("limit of one request", unit="seconds", affects_output=False)] = 600.0
    total_timeout: Annotated[
        float, Option("limit of a request and its retries", unit="seconds", affects_output=False)
    ] = 1800.0
    retries: Annotated[int, Option("retries after errors other than 429", affects_output=False)] = 5
    patience: Annotated[
        float,
        Option("time after which the run gives up if all endpoints are down", unit="seconds", affects_output=False),
    ] = 120.0
    api_key_env: Annotated[str, Option("environment variable with the API key", affects_output=False)] = (
        "OPENAI_API_KEY"
    )

    default_for = "endpoints"
    capabilities = frozenset({"images", "seeds"})
    chunk = 1

    @property
    def parallel(self) -> int:
        """The requests in flight, and a few that are prepared meanwhile."""
        return self.concurrency + 8

    @contextmanager
    def open(self, model: Model, read: ImageReader) -> Iterator[Engine]:
        """Check that an endpoint responds and serves the model.

        Raises:
            UsageError: the model has no URL, or a URL has a password.
            RemoteError: no endpoint responds, the key is refused, or the model is not served.
        """
        from openvlt_plugins.openai.engine import Limits, OpenAIEngine

        if not model.url:
            raise UsageError(f"The model '{model.id}' has no URL.", "Give one, such as --teacher-url http://host/v1.")
        if any("@" in url or "?" in url for url in model.url):
            raise UsageError(
                "An endpoint's URL has a password or a query.", f"Set ${self.api_key_env} to the key instead."
            )
        key = os.environ.get(self.api_key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UsageError(
                f"The API key in ${self.api_key_env} cannot be sent.",
                "Remove line breaks and non-ASCII characters from it.",
            )
        limits = Limits(self.concurrency, self.timeout, self.total_timeout, self.retries, self.patience)
        with OpenAIEngine(limits, model, read, key, self.api_key_env) as engine:
            yield engine
