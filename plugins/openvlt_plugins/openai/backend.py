"""The backend ``openai``: one or more OpenAI-compatible endpoints that serve the same model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt

from openvlt import Backend, Engine, ImageReader, Model, Option, UsageError, endpoint_key


@dataclass(frozen=True)
class OpenAIBackend(Backend):
    """Sends requests to endpoints over HTTP, as fast as they allow; the next run retries those that failed.

    Every sample is a separate request with its own seed, so a server needs to support only ``n=1``, and more samples
    keep the first ones if the server honours seeds. An endpoint gets the API key that the user has bound to its host
    (``--key-env NAME@HOST``), and no other.
    """

    concurrency: Annotated[int, Ge(1), Option("requests in flight per endpoint", affects_output=False)] = 64
    timeout: Annotated[float, Gt(0), Option("limit of one request", unit="seconds", affects_output=False)] = 600.0
    total_timeout: Annotated[
        float, Gt(0), Option("limit of a request and its retries", unit="seconds", affects_output=False)
    ] = 1800.0
    retries: Annotated[int, Ge(0), Option("retries after errors other than 429", affects_output=False)] = 5
    patience: Annotated[
        float,
        Ge(0),
        Option("time after which the run gives up if all endpoints are down", unit="seconds", affects_output=False),
    ] = 120.0

    removed: ClassVar = {
        "api_key_env": "A recipe names no key: bind it to the endpoint's host when you run it (--key-env NAME@HOST)."
    }
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
            UsageError: the model has no URL, or an endpoint may not get its key.
            RemoteError: no endpoint responds, the key is refused, or the model is not served.
        """
        from openvlt_plugins.openai.engine import Limits, OpenAIEngine

        if not model.url:
            raise UsageError(f"The model '{model.id}' has no URL.", "Give one, such as --teacher-url http://host/v1.")
        keys = [endpoint_key(url) for url in model.url]
        limits = Limits(self.concurrency, self.timeout, self.total_timeout, self.retries, self.patience)
        with OpenAIEngine(limits, model, read, keys) as engine:
            yield engine
