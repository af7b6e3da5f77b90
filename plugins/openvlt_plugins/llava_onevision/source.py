"""Rows of LLaVA-OneVision-Data, streamed from the hub or read from a local copy."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from openvlt import DataError, Example, Image, Option, Reject, Rejected, Source, first_line, tables
from openvlt_plugins.llava_onevision.turns import gold_answer, split_question

HUB_ID = "lmms-lab/LLaVA-OneVision-Data"

ROWS: Mapping[str, int] = {
    "CLEVR-Math(MathV360K)": 5_290,
    "FigureQA(MathV360K)": 17_587,
    "GEOS(MathV360K)": 498,
    "GeoQA+(MathV360K)": 17_300,
    "Geometry3K(MathV360K)": 9_724,
    "IconQA(MathV360K)": 22_700,
    "MapQA(MathV360K)": 5_240,
    "Super-CLEVR(MathV360K)": 8_650,
    "TabMWP(MathV360K)": 22_600,
    "UniGeo(MathV360K)": 12_000,
    "VizWiz(MathV360K)": 6_700,
    "ai2d(cauldron,llava_format)": 2_440,
    "aokvqa(cauldron,llava_format)": 16_600,
    "chartqa(cauldron,llava_format)": 18_400,
    "clevr(cauldron,llava_format)": 71_000,
    "dvqa(cauldron,llava_format)": 201_000,
    "geo3k": 2_100,
    "iconqa(cauldron,llava_format)": 27_400,
}
"""Rows of a config in the split ``train``, at most: the page of the dataset has most as ``22.6k``, rounded up here."""

_OFFLINE = "Check the connection and the config names, or set the option `data` to a local copy."


@dataclass(frozen=True)
class LlavaOneVision(Source):
    """One example for the first question of each row, by the rules of `turns`.

    The columns are `id`, `image`, `conversations` (a list of `from` and `value`) and `data_source`. An example's id is
    ``config/number of the row``; its metadata has `data_source` (the config) and `row` (the id of the row).
    """

    configs: Annotated[tuple[str, ...], Option("configs, such as 'FigureQA(MathV360K)', in order")] = ()
    data: Annotated[str | None, Option("folder with one folder of Parquet files per config; null for the hub")] = None
    per_config: Annotated[int | None, Ge(1), Option("most rows per config; null for all")] = None
    hub_revision: Annotated[str | None, Option("commit of the dataset; null for the newest")] = None

    licence: ClassVar[str] = "Apache-2.0; the sources keep their own terms"

    def __post_init__(self) -> None:
        if not self.configs:
            raise DataError("The source llava-onevision has no config.", "List them in the option `configs`.")

    @property
    def is_local(self) -> bool:  # type: ignore[override]
        return self.data is not None

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        for config in self.configs:
            for number, (row, folder) in enumerate(self._rows(config, split)):
                if number == self.per_config:
                    break
                yield _example(f"{config}/{number}", config, row, folder)

    def size_at_most(self, split: str) -> int | None:
        """A copy has its own rows; those of the hub are published (`ROWS`)."""
        published = ROWS if self.data is None and split == "train" else {}
        known = [(published.get(config), self.per_config) for config in self.configs]
        most = [min((count for count in counts if count is not None), default=None) for counts in known]
        return None if None in most else sum(count for count in most if count is not None)

    def metadata_values(self, key: str) -> Collection[str] | None:
        return self.configs if key == "data_source" else None

    def revision(self) -> str:
        if self.data is not None:
            files = [file for config in self.configs for file in self._files(config)]
            return ";".join(f"{file.parent.name}/{file.name}:{file.stat().st_size}" for file in files)
        return self.hub_revision or _newest()

    def _files(self, config: str) -> list[Path]:
        folder = Path(str(self.data)) / config
        there = folder.rglob("*.parquet") if os.path.isdir(folder) else ()  # False for a name that cannot be one
        found = sorted(file for file in there if tables.belongs(file, folder))
        if not found:
            raise DataError(f"The folder {folder} has no Parquet file.", "Copy the files of the config to it.")
        return found

    def _rows(self, config: str, split: str) -> Iterator[tuple[tables.TableRow, Path | None]]:
        """Rows, and the folder that paths in them are relative to; None if the images are in the rows."""
        if self.data is None:
            return ((row, None) for row in self._stream(config, split))
        return ((row, file.parent) for file in self._files(config) for row in tables.read_rows(file))

    def _stream(self, config: str, split: str) -> Iterator[tables.TableRow]:
        import httpx
        from datasets import Image as ImageFeature, load_dataset

        try:
            rows = load_dataset(HUB_ID, config, split=split, streaming=True, revision=self.hub_revision)
            yield from rows.cast_column("image", ImageFeature(decode=False))
        except (OSError, ValueError, httpx.HTTPError) as error:
            raise DataError(
                f"The config '{config}' of {HUB_ID} cannot be read: {first_line(error)}.", _OFFLINE
            ) from error


def _newest() -> str:
    import httpx
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(HUB_ID).sha)
    except (OSError, httpx.HTTPError) as error:
        raise DataError(f"The dataset {HUB_ID} cannot be reached: {first_line(error)}.", _OFFLINE) from error


def _example(id: str, config: str, row: tables.TableRow, folder: Path | None) -> Example | Rejected:
    try:
        turn, reply = _first_pair(row.get("conversations") or ())
        question, choices = split_question(turn)
        answer = gold_answer(reply, choices)
        return Example(
            id=id,
            question=question,
            answer=answer,
            images=_images(row.get("image"), folder),
            choices=choices,
            answer_type=_answer_type(answer, choices),
            metadata={"data_source": config, "row": str(row.get("id", ""))},
        )
    except Reject as reject:
        return Rejected(id=id, reason=reject.reason)


def _first_pair(turns: Any) -> tuple[str, str]:
    for turn, following in pairwise(turns if isinstance(turns, list | tuple) else ()):
        if not (isinstance(turn, Mapping) and isinstance(following, Mapping)):
            raise Reject("a turn is not a mapping")
        if turn.get("from") == "human" and following.get("from") == "gpt":
            return str(turn.get("value") or ""), str(following.get("value") or "")
    raise Reject("no human turn with a reply")


def _images(value: Any, folder: Path | None) -> tuple[Image, ...]:
    images = tables.images_of(value, folder)
    if not images:
        raise Reject("there is no image")
    return images


def _answer_type(answer: str, choices: tuple[str, ...]) -> Any:
    if choices:
        return "choice"
    return "yes_no" if answer.lower() in ("yes", "no") else None
