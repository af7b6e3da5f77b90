"""Records to JSON and back, and the digest that every key and fingerprint is."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        from pydantic import TypeAdapter

        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def encode(record: Any) -> bytes:
    """Encode a record as one line of JSON, without the line's end."""
    line: bytes = _adapter(type(record)).dump_json(record)
    return line


def decode(kind: type[T], line: bytes | str) -> T:
    """Decode one line of JSON.

    Raises:
        ValueError: the line is not a record of that kind.
    """
    record: T = _adapter(kind).validate_json(line)
    return record


def digest(*parts: Any) -> str:
    """Return the sha256 (hex) of JSON-able values or records; equal values have equal digests in any process."""
    return hashlib.sha256(_CANONICAL.encode(parts).encode("utf-8", "surrogatepass")).hexdigest()


def numbered(base: str, number: int) -> str:
    """Return ``digest(base, number)`` for a hex digest, without an encoder: there is one for every sample of a row."""
    return hashlib.sha256(f'["{base}",{number}]'.encode()).hexdigest()


def _plain(value: Any) -> Any:
    # One level is enough: the encoder asks again for what is below.
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name) for name in fields}
    return _adapter(type(value)).dump_python(value, mode="json")


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
