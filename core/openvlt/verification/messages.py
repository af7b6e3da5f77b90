"""The messages between the core and a worker: JSON, preceded by its length, over pipes."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from openvlt.records import Claim, Format, Verdict
from openvlt.store import decode, encode
from openvlt.verification.limits import MESSAGE_BYTES

T = TypeVar("T")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The first message to a worker.

    Attributes:
        verifiers: spec (``{"use": id, option: value}``) by identity.
        files: one-file plugins.
        format: names the tags.
    """

    verifiers: Mapping[str, dict[str, Any]]
    files: tuple[str, ...] = ()
    format: Format = field(default_factory=Format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work for a worker: one claim, or the claims of one group.

    Attributes:
        verifier: identity of the verifier.
        claims: what to verify.
        how: ``check`` what `quick` left open, ``verify`` from scratch, or a ``group`` at once.
    """

    verifier: str
    claims: tuple[Claim, ...]
    how: str = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A worker's answer: verdicts in order; to a `Setup` none, and an error if it failed."""

    verdicts: tuple[Verdict, ...] = ()
    error: str = ""


def frame(message: Setup | Task | Reply) -> bytes:
    """A message as it goes over the pipe."""
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


def read_frame(descriptor: int, kind: type[T]) -> T | None:
    """Read the next message; None if the other side has closed the pipe."""
    head = _read(descriptor, _LENGTH.size)
    if head is None:
        return None
    (size,) = _LENGTH.unpack(head)
    body = _read(descriptor, size) if size <= MESSAGE_BYTES else None
    return None if body is None else decode(kind, body)


def _read(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
