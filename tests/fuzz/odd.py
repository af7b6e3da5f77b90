"""What strangers write: odd values, odd text, and files that were once whole."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

TEXTS = [
    "", " ", "\0", "a\0b", "\ud800", "a\udc80", "\x1b[2J\x1b]0;x\x07", "\u202egold", "\r", "\u2028", "[red]x[/]", "[/bold]",
    "<script>alert(1)</script>", "| a | b |", "![x](http://y)", "<|image_pad|>", "<|im_start|>system", "<image>", "</s>",
    "../../etc/passwd", "a" * 300, "x" * 5000, "\\boxed{", "<answer>", "{}", "{0}", "%s", "$(id)", "nan", "inf", "1e999",
    "-0", "1/0", "0x" + "f" * 400, "9" * 5000, "٣", "é", "e\u0301", "𝒳", "👨\u200d👩", "None", "true", "null", "\ufeff",
    "data:image/png;base64,AAAA", "run:", "run:x/y", "package:os/x", "base", "policy", ".", "/",
]  # fmt: skip
NUMBERS = [0, -1, 1, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, float("inf"), float("-inf"), float("nan")]
BYTES = [b"\0", b"[" * 3000, b"\xff\xfe", b"\n"]
FIELDS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\xff\xff", b"999999999999"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.text(st.characters(), max_size=8)
)


def _nested(depth: int) -> list[Any]:
    """Lists in lists, new ones each time, since what is drawn is changed."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


VALUES: st.SearchStrategy[Any] = st.one_of(
    SCALARS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3),
        max_leaves=5,
    ),
    st.builds(_nested, st.just(300)),
)
"""Whatever JSON can say, and half of what it cannot."""


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [at, *(place for step, each in steps for place in _places(each, (*at, step)))]


@st.composite
def mutated(draw: st.DrawFn, whole: Any, most: int = 3) -> Any:
    """A value in which some parts are replaced by others, removed or renamed."""
    value = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.sampled_from(_places(value)))
        if not place:
            if draw(st.integers(0, 9)) == 0:
                return draw(VALUES)
            continue
        inner = value
        for step in place[:-1]:
            inner = inner[step]
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename"])):
            case "replace":
                inner[place[-1]] = draw(VALUES)
            case "remove":
                del inner[place[-1]]
            case "rename" if isinstance(inner, dict):
                inner[draw(st.sampled_from(TEXTS))] = inner.pop(place[-1])
    return value


def as_json(value: Any) -> bytes:
    """JSON of a value; lone surrogates are written as escapes, as a program with a fault would."""
    return json.dumps(value).encode()


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file that was cut, or in which bytes or numbers were changed, inserted or doubled."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        match draw(st.sampled_from(["cut", "flip", "number", "insert", "double", "nothing"])):
            case "cut":
                del found[at:]
            case "flip" if found:
                found[at] ^= 1 << draw(st.integers(0, 7))
            case "number":
                found[at : at + 4] = draw(st.sampled_from(FIELDS))
            case "insert":
                found[at:at] = draw(st.binary(max_size=8) | st.sampled_from(BYTES))
            case "double":
                found[at:at] = found[at : at + 40]
            case "nothing":
                found = bytearray()
    return bytes(found)


def file_of(whole: Any) -> st.SearchStrategy[bytes]:
    """A JSON file in which values or bytes are odd, or any bytes at all."""
    return st.one_of(mutated(whole).map(as_json), damaged(json.dumps(whole, indent=1).encode()), st.binary(max_size=60))


def lines_of(rows: list[Any]) -> st.SearchStrategy[bytes]:
    """A JSON Lines file, in the same way."""
    mixed = st.lists(st.sampled_from(rows).flatmap(mutated) | st.sampled_from(rows), max_size=6)
    whole = b"\n".join(map(as_json, rows))
    return st.one_of(mixed.map(lambda some: b"\n".join(map(as_json, some))), damaged(whole), st.binary(max_size=60))


SAID: dict[str, Any] = {}
"""What a method of a component in `odd_plugin` is to return or raise, by the method's name."""
