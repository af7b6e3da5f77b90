"""How much of a table that somebody else wrote is read at once."""

from __future__ import annotations

MAX_ROW = 128 * 2**20
"""Bytes of a row (characters, in a text): one image of the largest size in base64 is 86 MiB."""
MAX_EXPANSION = 1000
"""Times that data may grow when it is decompressed; zlib reaches 1032, but only with one byte repeated."""
