"""Everything on disk: images, cached values, the outputs of stages, the records of runs."""

from openvlt.store.check import check_run
from openvlt.store.codec import decode, digest, encode, numbered
from openvlt.store.decoding import decode_image, image_format
from openvlt.store.home import Home, open_home
from openvlt.store.images import ImageStore
from openvlt.store.locks import claimed_run, is_claimed, locked, run_folder
from openvlt.store.prune import Unneeded, find_unneeded, free
from openvlt.store.runs import (
    earlier_run,
    extended,
    find_stage,
    list_runs,
    log_stage,
    model_of_run,
    read_bench,
    read_format,
    read_reward,
    read_run,
    remove_run,
    run_names,
    write_models,
    write_run,
)
from openvlt.store.stage import StageFolder, StageWriter, damaged_model, file_digest, model_digest, model_files
from openvlt.store.values import ValueStore
from openvlt.store.writing import read_checked, replacing, write_atomically, write_checked, writing

__all__ = [
    "Home",
    "ImageStore",
    "StageFolder",
    "StageWriter",
    "Unneeded",
    "ValueStore",
    "check_run",
    "claimed_run",
    "damaged_model",
    "decode",
    "decode_image",
    "digest",
    "earlier_run",
    "encode",
    "extended",
    "file_digest",
    "find_stage",
    "find_unneeded",
    "free",
    "image_format",
    "is_claimed",
    "list_runs",
    "locked",
    "log_stage",
    "model_digest",
    "model_files",
    "model_of_run",
    "numbered",
    "open_home",
    "read_bench",
    "read_checked",
    "read_format",
    "read_reward",
    "read_run",
    "remove_run",
    "replacing",
    "run_folder",
    "run_names",
    "write_atomically",
    "write_checked",
    "write_models",
    "write_run",
    "writing",
]
