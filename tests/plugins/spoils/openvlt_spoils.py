"""A plugin that lets a process of a training end, or find the disk full, in the middle of a file that it saves.

OPENVLT_SPOILS says how, and which: ``kill checkpoint-3/rng_state_1.pth``. The name of the file decides the process.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

from openvlt import hookimpl

ROOM = 1 << 16
"""Bytes that a file may have where the disk is full: enough for what the process still has to say."""


def spoilt(save: Callable[..., None], how: str, pattern: str) -> Callable[..., None]:
    def saved(content: Any, file: Any, *arguments: Any, **options: Any) -> None:
        name = str(getattr(getattr(file, "raw", file), "name", file))
        if not fnmatch(name, f"*/{pattern}"):
            return save(content, file, *arguments, **options)
        if how == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
            return save(content, file, *arguments, **options)
        save(content, file, *arguments, **options)
        if hasattr(file, "flush"):
            file.flush()
        os.truncate(name, os.stat(name).st_size // 2)
        return os.kill(os.getpid(), signal.SIGKILL)

    return saved


@hookimpl
def register_trainers(register: Any) -> None:
    told = os.environ.get("OPENVLT_SPOILS")
    if told and "train_worker" in " ".join(sys.argv):
        import torch
        from transformers import modeling_utils

        modeling_utils.safe_save_file = spoilt(modeling_utils.safe_save_file, *told.split())
        torch.save = spoilt(torch.save, *told.split())
