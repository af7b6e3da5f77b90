"""What a terminal is sent: no character of foreign text moves the cursor, colours the screen or reorders a line."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

# All characters of the categories Cc, Cf, Cs, Zl and Zp but \t, \n and the two joiners that scripts and emoji need.
_UNSAFE = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)


def escape(text: str) -> str:
    r"""Write out what could control a terminal, as JSON does (``\u001b``), so that printed JSON keeps its meaning."""
    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _as_json(error: UnicodeError) -> tuple[str, int]:
    """Write out what a stream cannot encode, as JSON does."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("as_json", _as_json)


class _Escaped:
    """A text stream that escapes what is written to it. It takes any text: of one that does not, click would write to
    the stream behind."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        encoding = self.stream.encoding or "utf-8"
        self.stream.write(escape(text).encode(encoding, "as_json").decode(encoding))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def escaped() -> Iterator[None]:
    """Escape all that this process prints, whoever prints it; what draws on the terminal itself asks for `raw`."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Escaped(stream)) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


def raw(stream: TextIO) -> TextIO:
    """The stream behind one that escapes."""
    return stream.stream if isinstance(stream, _Escaped) else stream
