"""Verifies what a run is made of by recomputing every digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openvlt.records import Image, Row, Run
from openvlt.store.home import Home
from openvlt.store.images import ImageStore
from openvlt.store.stage import StageFolder, file_digest, model_digest, model_files
from openvlt.store.values import ValueStore


def check_run(home: Home, run: Run) -> Iterator[str]:
    """Yield what is missing or damaged among a run's stages, values, images and models, one line each."""
    images: set[Image] = set()
    values: set[str] = set()
    for stage in run.stages:
        folder = StageFolder(home.root / stage.folder)
        summary = folder.summary()
        if summary is None:
            yield f"{stage.name}: its output is missing; the command of the run makes it again"
        elif stage.stage_kind == "train":
            yield from _check_model(stage.name, folder, summary)
        else:
            if (file := folder.damaged(summary, file_digest)) is not None:
                yield f"{stage.name}: {file} is not what the stage wrote"
            if file != folder.rows_file:
                images.update(image for row in folder.rows(Row) for image in row.example.images)
            values.update([*([summary["values"]] if "values" in summary else []), *summary.get("replies", [])])
    yield from _check_images(home, images)
    for identity in sorted(values):
        if not (home.values / identity).is_dir():
            continue  # pruned; recomputing them costs only time
        with ValueStore(home.values / identity) as store:
            yield from store.check()


def _check_model(stage: str, folder: StageFolder, summary: Mapping[str, Any]) -> Iterator[str]:
    model = folder.path / str(summary.get("model", ""))
    digests = {file.name: file_digest(file) for file in model_files(model)}
    if (file := folder.damaged(summary, lambda file: digests.get(file.name))) is not None:
        yield f"{stage}: {file} is not what the training wrote; delete {model}"
    elif model_digest(digests) != summary["digest"]:
        yield f"{stage}: the model is not what the training wrote; delete {model}"


def _check_images(home: Home, images: set[Image]) -> Iterator[str]:
    store = ImageStore(home.images)
    for image in sorted(images, key=lambda image: image.sha256):
        path = store.path(image)
        if not path.exists():
            yield f"image {path} is missing"
        elif file_digest(path) != image.sha256:
            yield f"image {path} is damaged"
