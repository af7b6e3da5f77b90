"""Rows of a dataset on the Hugging Face hub, or in its local cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openvlt.errors import DataError, first_line
from openvlt.tables.files import TableRow

REACHABLE_WITHIN = 5.0
"""Seconds to wait for the hub; its own client retries for half a minute."""


def hub_rows(
    dataset: str, configs: Sequence[str], split: str, revision: str | None, size: int | None = None
) -> Iterator[TableRow]:
    """Yield the rows of a split; images stay encoded.

    Args:
        dataset: hub id.
        configs: configurations in order; empty for the default one.
        split: the split.
        revision: commit or tag; None for the newest.
        size: number of rows of the split, for the error message.

    Raises:
        DataError: the dataset is neither reachable nor cached.
    """
    _prefer_cache_if_unreachable()
    for config in configs or (None,):
        yield from _config_rows(dataset, config, split, revision, size)


def hub_folders(dataset: str) -> list[Path]:
    """The folders of `tables.images_of` for a dataset: the cache of its repository, and what was extracted."""
    import datasets
    import huggingface_hub

    cached = Path(huggingface_hub.constants.HF_HUB_CACHE) / f"datasets--{dataset.replace('/', '--')}"
    return [cached, cached, Path(datasets.config.DOWNLOADED_DATASETS_PATH)]


def _config_rows(
    dataset: str, config: str | None, split: str, revision: str | None, size: int | None
) -> Iterator[TableRow]:
    import datasets
    import httpx
    import huggingface_hub

    datasets.disable_progress_bars()
    try:
        rows: Any = datasets.load_dataset(dataset, config, split=split, revision=revision)
    except (OSError, ValueError, RuntimeError, httpx.HTTPError) as error:
        whole = f"{dataset}{f' ({config})' if config else ''}, split {split}{f', {size:,} rows' if size else ''}"
        where = f"{huggingface_hub.constants.ENDPOINT}/datasets/{dataset}"
        raise DataError(
            f"The dataset {whole}, cannot be loaded from the hub or the local cache: {first_line(error)}.",
            f"Run once with access to {where}, or download it elsewhere and name its files (of a benchmark: --data).",
        ) from error
    for batch in rows.with_format("arrow").iter(64):  # as stored: images stay encoded
        yield from batch.to_pylist()


def _prefer_cache_if_unreachable() -> None:
    """Without a network, make the hub's client use its cache at once instead of retrying."""
    import datasets
    import httpx
    import huggingface_hub

    try:
        httpx.head(huggingface_hub.constants.ENDPOINT, timeout=REACHABLE_WITHIN)
    except httpx.HTTPError:
        huggingface_hub.constants.HF_HUB_OFFLINE = True
        datasets.config.HF_HUB_OFFLINE = True
