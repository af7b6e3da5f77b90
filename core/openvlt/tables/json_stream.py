"""Reads the elements of a JSON file one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from openvlt.errors import DataError
from openvlt.tables.limits import MAX_ROW

_LISTS = ("samples", "logs")
"""Keys of a list of rows in a log: of inspect_ai, and of lmms-eval before it had files of samples."""
_DESCRIPTION = 16  # keys of a log before its rows, at most
_BLOCK = 1 << 20  # characters
_SPACE = " \t\r\n"
_VQA = re.compile(r'\s*\{\s*(?:"\w+"\s*:\s*(?:"[^"]*"|\{[^{}]*\})\s*,\s*)*+"(?:questions|annotations)"\s*:\s*(?=\[)')
_SUBTYPE = re.compile(r'"data_subtype"\s*:\s*"(\w+)"')


def json_elements(file: TextIO, path: Path) -> Iterator[tuple[int, str | None, Any]]:
    """Yield the line (from 1), the key and the value of each element of a list, whose keys are None, or of an object.

    Of an object that has a list of rows beside what describes them (`_LISTS`), the elements are those of the list.

    Raises:
        DataError: the file is neither, is not JSON, or an object has a duplicate key.
    """
    text = _Json(file, path)
    if text.peek() == "[":
        yield from _elements(text)
        return
    description: list[tuple[int, str | None, Any]] = []
    for number, (line, key, value) in enumerate(_elements(text, listed=True)):
        if key is None:
            description.clear()
            yield line, None, value
        elif number < _DESCRIPTION:
            description.append((line, key, value))
        else:
            yield from description
            description.clear()
            yield line, key, value
    yield from description


def _elements(text: _Json, *, listed: bool = False) -> Iterator[tuple[int, str | None, Any]]:
    """The elements of the list or object that begins here; if `listed`, of the first list of rows in it alone."""
    opening = text.take("[{")
    closing = "]" if opening == "[" else "}"
    keys: set[str] = set()
    if text.peek() == closing:
        text.take(closing)
        return
    for number in count():
        key = text.key(keys) if opening == "{" else None
        if listed and number < _DESCRIPTION and key in _LISTS and text.peek() == "[":
            yield from _elements(text)
            return
        text.peek()
        line = text.line()
        yield line, key, text.value()
        if text.take("," + closing) == closing:
            return


def vqa_subtype(file: TextIO) -> str | None:
    """Of a file of VQAv2 its ``data_subtype``, such as ``val2014``; `file` is then at its list. None for others."""
    start = file.read(_BLOCK)
    file.seek(0)
    head = _VQA.match(start)
    subtype = _SUBTYPE.search(head.group()) if head else None
    if head is None or subtype is None:
        return None
    file.read(head.end())
    return subtype[1]


class _Json:
    """A position in a JSON file that is read block by block."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._at = "", 0
        self._line, self._counted = 1, 0
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def line(self) -> int:
        """The line of the position; counts on from the last call."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def peek(self) -> str:
        """The next character that is not white space."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                raise self._error("the file ends too early")

    def take(self, expected: str) -> str:
        character = self.peek()
        if character not in expected:
            raise self._error(f"expected one of {' '.join(expected)}, found {character!r}")
        self._at += 1
        return character

    def key(self, seen: set[str]) -> str:
        """The next key of the outer object, and its colon; the key is added to `seen`."""
        if self.peek() != '"':
            raise self._error("expected a key in double quotes")
        key: str = self.value()
        if key in seen:
            raise self._duplicate(key)
        seen.add(key)
        self.take(":")
        return key

    def value(self) -> Any:
        """The next value.

        A value that ends where the block ends may be incomplete without an error (``12`` of ``123``), so more is read.
        """
        while True:
            self.peek()
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._error(error.msg) from error
                continue
            except ValueError as error:
                raise self._error("a number has too many digits") from error
            except RecursionError as error:
                raise self._error("it is nested too deeply") from error
            if end == len(self._text) and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Read another block and drop what was consumed; blocks double within one value, to parse it seldom."""
        if len(self._text) - self._at > MAX_ROW:
            raise self._error(f"an element is over {MAX_ROW >> 20} MiB")
        block = self._file.read(max(_BLOCK, len(self._text) - self._at))
        self.line()  # counts the lines that are dropped
        self._text, self._at, self._counted = self._text[self._at :] + block, 0, 0
        return bool(block)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object without duplicate keys, of which `json` would silently keep the last."""
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise self._duplicate(key)
            found[key] = value
        return found

    def _duplicate(self, key: str) -> DataError:
        return DataError(f"{self._path}: the key '{key}' is a duplicate.", "Remove one of the two.")

    def _error(self, problem: str) -> DataError:
        return DataError(f"{self._path}:{self.line()} is not JSON: {problem}.", "Fix the file, or use JSON Lines.")
