"""Files of questions given in place of a recipe: what they contain, and the recipe that trains on them."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any

from openvlt import system
from openvlt.errors import DataError, UsageError
from openvlt.interfaces import Source
from openvlt.recipe.parsing import parse
from openvlt.recipe.reading import find_recipes
from openvlt.records import Example
from openvlt.registry import Registry
from openvlt.tables import is_table

LOOK = 5_000
"""Rows that are looked at before a recipe is written; loading reads all of them."""
SHARE = 0.2
"""Share of the rows that is held out; of over `LOOK` rows, 1,000."""
FEWEST = 10
"""Rows that can be divided at all."""
PROMPTS = 16
"""Fewest prompts of a generation with GPUs; their groups of `GENERATIONS` are not divided among the GPUs."""
GENERATIONS = 8
FIELDS = ("question", "answer", "choices", "images", "id", "unused")
_FOLDER = "openvlt_tasks"
_HUB_ID = re.compile(r"(?P<dataset>\w[\w.-]*/\w[\w.-]*)(?::(?P<config>[\w.-]+))?(?<!\.yaml)(?<!\.yml)")


def is_data(name: str) -> bool:
    """True for a file of rows, a folder, a pattern of files or a hub id; a recipe's name or a YAML file is none."""
    if name in find_recipes() or "://" in name:
        return False
    is_pattern = any(mark in name for mark in ("*", "?", "[", "{split}"))
    return is_table(Path(name)) or is_pattern or os.path.isdir(os.path.expanduser(name)) or is_hub_id(name)


def is_hub_id(name: str) -> bool:
    """True for ``owner/name``, also with a configuration as in ``owner/name:config``, that is no path here."""
    return bool(_HUB_ID.fullmatch(name)) and not is_table(Path(name)) and not os.path.exists(name)


def source_of(paths: Sequence[str], columns: Sequence[str] = (), beside: Path | None = None) -> dict[str, Any]:
    """The source of files of rows, as a recipe writes it.

    Args:
        paths: files, folders or patterns, of which several are read one after the other; or a hub id.
        columns: each ``question=q,answer=a``: the options that name columns.
        beside: folder of the recipe, which paths below it are relative to.

    Raises:
        UsageError: `columns` cannot be read, or a hub id is not alone.
    """
    return {**_yaml("source.yaml"), **_place(paths, beside), **_named(columns)}


def _place(paths: Sequence[str], beside: Path | None) -> dict[str, Any]:
    """The options of the source that say where the rows are."""
    if (id := next(filter(is_hub_id, paths), None)) and (found := _HUB_ID.fullmatch(id)):
        if len(paths) > 1:
            raise UsageError(f"'{id}' is read as a dataset of the hub, which cannot be mixed.", "Name it alone.")
        return {"dataset": found["dataset"], **({"configs": [found["config"]]} if found["config"] else {})}
    places = [os.path.abspath(os.path.expanduser(path)) for path in paths]
    if beside is not None:
        places = [os.path.relpath(path, beside) if Path(path).is_relative_to(beside) else path for path in places]
    return {"path": places[0] if len(places) == 1 else places}


def _named(columns: Sequence[str]) -> dict[str, str]:
    named = {}
    for part in ",".join(columns).split(",") if columns else ():
        name, equals, column = (each.strip() for each in part.partition("="))
        if not equals or not name:
            raise UsageError(f"'{part}' in --columns is not a field=column.", "Write question=q,answer=a.")
        named[name] = column
    return named


def recipe_of(
    registry: Registry,
    paths: Sequence[str],
    columns: Sequence[str] = (),
    out: Path | None = None,
    split: str | None = None,
    gpus: int | None = None,
) -> tuple[str, list[str]]:
    """Look at files of rows, and write the recipe that trains on them.

    Args:
        registry: the plugins.
        paths: files, folders or patterns, or a hub id.
        columns: see `source_of`.
        out: the file that the recipe will be written to.
        split: of the dataset; None for ``train``.
        gpus: that it is for; None for those of this machine.

    Returns:
        The recipe as YAML, and lines that say what was understood.

    Raises:
        DataError: too few rows can be read; the message says why.
    """
    import yaml

    rows, shown = _look(registry, source_of(paths, columns), paths, split or "train")
    spec = source_of(paths, columns, out.absolute().parent if out else None)
    if not any("{split}" in path for path in paths):  # else there is a file of test questions
        spec |= {"held_out": SHARE if rows < LOOK else 1000, "seed": 0}
    if split:
        spec["held_out_of"] = split
    text = yaml.safe_dump(spec, default_flow_style=True, width=100_000, allow_unicode=True, sort_keys=False).strip()
    gpus = len(system.visible_gpus()) if gpus is None else gpus
    prompts = math.ceil(PROMPTS / max(gpus, 1)) * max(gpus, 1)
    made = f"Made from {', '.join(os.path.basename(path) for path in paths)!r}"
    values = {"name": name_of(paths[0]), "source": text, "made": " ".join(made.split())[:100] + ":"}
    sizes = {"prompts": prompts, "generations": GENERATIONS, "batch": prompts * GENERATIONS}
    return Template(_text("gpu.yaml" if gpus else "cpu.yaml")).substitute(values, **sizes), shown


def name_of(path: str) -> str:
    """The name of a file or folder as the name of a run."""
    stem = os.path.basename(os.path.abspath(os.path.expanduser(path.replace("{split}", "")))).partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:60] or "own-data"


def _look(registry: Registry, spec: Mapping[str, Any], paths: Sequence[str], split: str) -> tuple[int, list[str]]:
    """The number of rows that are questions, of the first `LOOK`, and the lines that say what was understood."""
    source = registry.build(Source, spec).component
    rows = questions = seen = 0
    reasons, first, lacking = Counter[str](), list[str](), list[Path]()
    for item in islice(source.examples(split), LOOK):  # none is kept: it may contain its images
        rows += 1
        if not isinstance(item, Example):
            reasons[item.reason] += 1
            continue
        questions += 1
        seen += bool(item.images)
        lacking += [file for file in item.image_files if not file.exists()]
        if questions <= 3:
            choices = f" {list(item.choices)}" if item.choices else ""
            answer = _short(item.answer, 40)
            first.append(f"  {_short(item.id, 20)}: {_short(item.question, 70)!r}{choices} -> {answer!r}")
    lost = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
    if questions < FEWEST:
        raise DataError(
            f"{', '.join(paths)}: {questions} of {rows} rows are questions, fewer than {FEWEST}"
            f"{f' ({lost})' if lost else ''}.",
            "Name the columns: --columns question=COLUMN,answer=COLUMN,images=COLUMN,choices=COLUMN.",
        )
    columns = source.understood(split, LOOK)
    counted = "the first " if rows == LOOK else ""
    return questions, [
        f"{', '.join(paths)}: {counted}{rows:,} rows, {questions:,} questions, {seen:,} with an image",
        *([f"  rejected   {lost}"] if lost else []),
        *([f"  missing    {len(lacking):,} image files, such as {lacking[0]}"] if lacking else []),
        *(f"  {name:10} {what}" for name, what in {**dict.fromkeys(FIELDS, "none"), **columns}.items()),
        *first,
    ]


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _text(name: str) -> str:
    return files(_FOLDER).joinpath("own", name).read_text(encoding="utf-8")


def _yaml(name: str) -> dict[str, Any]:
    value, _ = parse(_text(name), name)
    return dict(value)
