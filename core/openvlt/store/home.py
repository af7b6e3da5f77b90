"""The folder of all of openvlt's files, ``$OPENVLT_HOME``."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from openvlt.errors import DataError


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of a store."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def values(self) -> Path:
        return self.root / "values"

    @property
    def stages(self) -> Path:
        return self.root / "stages"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def runs(self) -> Path:
        return self.root / "runs"


def open_home() -> Home:
    """Find or create the home, for this user alone, and make sure that it is writable.

    Raises:
        DataError: the folder cannot be created or written.
    """
    import platformdirs

    # Not the cache folder: systems delete files there, and a home contains models.
    root = Path(os.environ.get("OPENVLT_HOME") or platformdirs.user_data_dir("openvlt", appauthor=False)).expanduser()
    home = Home(root.absolute())
    try:
        _rename_rows(home)
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _keep_private(home.root)
        for folder in (home.images, home.values, home.stages, home.runs, home.locks):
            folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=home.root):
            pass
    except OSError as error:
        raise DataError(
            f"The folder {root} cannot be written: {error.strerror or error}.",
            "Make it writable, or set OPENVLT_HOME to a folder that is.",
        ) from error
    return home


def _keep_private(root: Path) -> None:
    """Close a home to others: it has data sets, responses and recipes; a folder that is not ours stays as it is."""
    found = root.stat()
    is_ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if is_ours and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:  # such as /tmp, if we are root
        root.chmod(0o700)


def _rename_rows(home: Home) -> None:
    """Keep the cached values of a home whose folder still has its first name, ``rows``."""
    if (home.root / "rows").is_dir() and not home.values.exists():
        (home.root / "rows").rename(home.values)
