"""Where everything lies: images once, rows as the cache, stages as views of them, runs as their record."""

from openvlt.store.codec import decode, digest, encode
from openvlt.store.home import Home, open_home
from openvlt.store.images import ImageStore
from openvlt.store.rows import RowStore
from openvlt.store.runs import claimed_run, find_stage, list_runs, read_format, read_run, write_run
from openvlt.store.stage import StageFolder, StageWriter, file_digest, write_atomically, writing

__all__ = [
    "Home",
    "ImageStore",
    "RowStore",
    "StageFolder",
    "StageWriter",
    "claimed_run",
    "decode",
    "digest",
    "encode",
    "file_digest",
    "find_stage",
    "list_runs",
    "open_home",
    "read_format",
    "read_run",
    "write_atomically",
    "write_run",
    "writing",
]
