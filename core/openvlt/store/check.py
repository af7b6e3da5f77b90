"""Is everything a run is made of still what it was? Every digest is computed anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from openvlt.records import Image, Row, Run, StageRecord
from openvlt.store.home import Home
from openvlt.store.images import ImageStore
from openvlt.store.stage import StageFolder, file_digest, model_digest
from openvlt.store.values import ValueStore


def check_run(home: Home, run: Run) -> Iterator[str]:
    """Yield what is wrong with the stages, rows, images and models of a run, one line each; nothing if all is well.

    Args:
        home: the store.
        run: whose stages are read.
    """
    images: set[Image] = set()
    values: set[str] = set()
    for stage in run.stages:
        folder = StageFolder(home.root / stage.folder)
        summary = folder.summary()
        if summary is None:
            yield f"{stage.name}: {folder.path} does not hold what the stage made"
        elif stage.stage_kind == "train":
            yield from _check_model(stage, folder.path / str(summary.get("model", "")), summary["digest"])
        else:
            yield from _check_rows(stage, folder, summary["digest"], images)
            values.update([summary["values"]] if "values" in summary else [])
    yield from _check_images(home, images)
    for identity in sorted(values):
        if not (home.values / identity).is_dir():
            continue  # pruned values only cost time
        with ValueStore(home.values / identity) as store:
            yield from store.check()


def _check_rows(stage: StageRecord, folder: StageFolder, digest: str, images: set[Image]) -> Iterator[str]:
    if file_digest(folder.rows_file) != digest:
        yield f"{stage.name}: {folder.rows_file} is not what the stage wrote"
    else:
        images.update(image for row in folder.rows(Row) for image in row.example.images)


def _check_model(stage: StageRecord, folder: Path, digest: str) -> Iterator[str]:
    if model_digest(folder) != digest:
        yield f"{stage.name}: the model {folder} is not what the training wrote"


def _check_images(home: Home, images: set[Image]) -> Iterator[str]:
    store = ImageStore(home.images)
    for image in sorted(images, key=lambda image: image.sha256):
        path = store.path(image)
        if not path.exists():
            yield f"image {path} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != image.sha256:
            yield f"image {path} is not what it was"
