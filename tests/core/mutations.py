"""Valid bytes, damaged: what a fuzz of readers starts from."""

from __future__ import annotations

from hypothesis import strategies as st

_EDIT = st.tuples(
    st.sampled_from(["replace", "insert", "delete", "repeat", "cut", "number"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 64),
    st.binary(min_size=1, max_size=8),
)
_NUMBERS = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\xff\xff",
    b"999999999999",
)


def damaged(valid: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the contents after up to six edits; seldom none."""
    return st.builds(_edited, st.sampled_from(valid), st.lists(_EDIT, max_size=6))


def _edited(content: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    for kind, place, length, some in edits:
        at = int(place * len(content))
        head, tail = content[:at], content[at:]
        content = {
            "replace": head + some + tail[len(some) :],
            "insert": head + some + tail,
            "delete": head + tail[length:],
            "repeat": head + tail[:length] * 3 + tail,
            "cut": head,
            "number": head + _NUMBERS[length % len(_NUMBERS)] + tail[4:],
        }[kind]
    return content
