"""The messages between the core and a worker: JSON over pipes, each preceded by its length."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from openvlt.records import Claim, Format, Verdict
from openvlt.store import decode, encode
from openvlt.verification.limits import MESSAGE_BYTES

T = TypeVar("T")
Mode: TypeAlias = Literal["check", "verify", "group"]
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The first message to a worker.

    Attributes:
        verifiers: spec (``{"use": id, option: value}``) by identity.
        memory: bytes that the worker may use beyond what it uses when it is ready.
        files: one-file plugins.
        format: names the tags.
        images: folder of the image store, for verifiers that look.
    """

    verifiers: Mapping[str, dict[str, Any]]
    memory: int
    files: tuple[str, ...] = ()
    format: Format = field(default_factory=Format)
    images: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work for a worker: one claim, or the claims of one group.

    Attributes:
        verifier: identity of the verifier.
        claims: what to verify.
        seconds: the verifier's limit.
        mode: ``check`` (`quick` has left the answer open), ``verify`` or ``group``.
    """

    verifier: str
    claims: tuple[Claim, ...]
    seconds: float
    mode: Mode = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A worker's reply.

    Attributes:
        verdicts: in order; none to a `Setup`.
        error: what failed; empty if nothing did.
        machine: True if the machine is the cause: it may succeed another time.
    """

    verdicts: tuple[Verdict, ...] = ()
    error: str = ""
    machine: bool = False


def frame(message: Setup | Task | Reply) -> bytes:
    """The bytes of a message on the pipe."""
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


def read_frame(descriptor: int, message_type: type[T]) -> T | None:
    """Read the next message; None if the other side has closed the pipe."""
    head = _read(descriptor, _LENGTH.size)
    if head is None:
        return None
    (size,) = _LENGTH.unpack(head)
    body = _read(descriptor, size) if size <= MESSAGE_BYTES else None
    return None if body is None else decode(message_type, body)


def _read(descriptor: int, size: int) -> bytes | None:
    chunks = []
    while size:  # a pipe gives what it has, which may be less than a message
        chunk = os.read(descriptor, min(size, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
