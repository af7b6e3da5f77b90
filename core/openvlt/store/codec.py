"""Records as JSON, and the digest behind every key and fingerprint."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from openvlt import forks

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(record_type: Any) -> TypeAdapter[Any]:
    if record_type not in _ADAPTERS:
        with forks.not_forked():
            from pydantic import PydanticUserError, TypeAdapter

            try:
                _ADAPTERS[record_type] = TypeAdapter(record_type)
            except PydanticUserError as error:
                raise TypeError(f"{record_type} is not a type of JSON values") from error
    return _ADAPTERS[record_type]


def encode(record: Any) -> bytes:
    """Encode a record as one line of JSON, without the line break.

    Raises:
        TypeError, ValueError: it is not a record, or a value in it is not what its type says.
    """
    line: bytes = _adapter(type(record)).dump_json(record)
    return line


def decode(record_type: type[T], line: bytes | str) -> T:
    """Decode one line of JSON.

    Raises:
        ValueError: the line is not such a record.
    """
    record: T = _adapter(record_type).validate_json(line)
    return record


def digest(*values: Any) -> str:
    """The sha256 (hex) of JSON values or records; equal values have equal digests in every process.

    A field with ``added`` in its metadata is younger than stored digests of its record, and counts only if it is set.
    """
    return hashlib.sha256(_CANONICAL.encode(values).encode("utf-8", "surrogatepass")).hexdigest()


def numbered(base: str, number: int) -> str:
    """``digest(base, number)`` of a hex digest without an encoder: every sample of every row has one."""
    return hashlib.sha256(f'["{base}",{number}]'.encode()).hexdigest()


def _plain(value: Any) -> Any:
    # One level is enough: the encoder calls this again for what is nested.
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {
            name: found
            for name, each in fields.items()
            if ((found := getattr(value, name)) and found != each.default) or "added" not in each.metadata
        }
    return _adapter(type(value)).dump_python(value, mode="json")


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
