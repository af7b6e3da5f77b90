"""Which picture files the rows of a load stage are made of, so that a replaced one is noticed.

The digest of a source covers its tables. To read every picture again whenever a run starts would take too long, so of
each the size and the time are compared, and only if one differs are the rows loaded again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from openvlt.records import Example, Rejected


def stamps_of(item: Example | Rejected) -> str:
    """A line for each picture that is a file: its path, size and time."""
    files = item.image_files if isinstance(item, Example) else ()
    return "".join(json.dumps([os.path.abspath(file), _stamp(file)]) + "\n" for file in files)


def changed_file(file: Path) -> str | None:
    """The first picture that was replaced since it was read, None if none was; what is gone has no newer content."""
    try:
        with file.open(encoding="utf-8") as stamps:
            for path, stamp in map(json.loads, stamps):
                if _stamp(Path(path)) not in (stamp, []):
                    return str(path)
    except (OSError, ValueError):
        return str(file)
    return None


def _stamp(path: Path) -> list[int]:
    """Size and time of change of a file in bytes and ns; empty if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return []
    return [status.st_size, status.st_mtime_ns]
