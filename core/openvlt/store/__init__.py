"""Everything on disk: images, cached values, the outputs of stages, the records of runs."""

from openvlt.store.check import check_run
from openvlt.store.codec import decode, digest, encode, numbered
from openvlt.store.home import Home, open_home
from openvlt.store.images import ImageStore, decode_image, image_format
from openvlt.store.prune import Unneeded, find_unneeded, free
from openvlt.store.runs import (
    claimed_run,
    find_stage,
    list_runs,
    model_of_run,
    read_format,
    read_run,
    run_folder,
    run_names,
    write_models,
    write_run,
)
from openvlt.store.stage import StageFolder, StageWriter, file_digest, model_digest, write_atomically, writing
from openvlt.store.values import ValueStore

__all__ = [
    "Home",
    "ImageStore",
    "StageFolder",
    "StageWriter",
    "Unneeded",
    "ValueStore",
    "check_run",
    "claimed_run",
    "decode",
    "decode_image",
    "digest",
    "encode",
    "file_digest",
    "find_stage",
    "find_unneeded",
    "free",
    "image_format",
    "list_runs",
    "model_digest",
    "model_of_run",
    "numbered",
    "open_home",
    "read_format",
    "read_run",
    "run_folder",
    "run_names",
    "write_atomically",
    "write_models",
    "write_run",
    "writing",
]
