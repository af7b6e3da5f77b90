"""The layouts of rows that other tools read, recognised by their columns and read as the columns of `rows`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openvlt import tables
from openvlt_plugins.rows.fields import READERS
from openvlt_plugins.rows.turns import conversations, solved, texts

Row = tables.TableRow


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """One layout.

    Attributes:
        name: of it.
        shape: what a row of it has: a type by column; ``a.b`` is a key of a mapping.
        lacks: columns it does not have.
        columns: what is where, by the name of its reader (see `fields`); the other columns stay.
        each: makes several rows of one, each of another layout.
    """

    name: str
    shape: Mapping[str, type | tuple[type, ...]]
    columns: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    each: Callable[[Row], Iterator[Row]] | None = None

    def fits(self, row: Row) -> bool:
        """True if a row has this layout."""
        return all(_is(row, path, kind) for path, kind in self.shape.items()) and all(
            row.get(name) in (None, "") for name in self.lacks
        )


TEXT, TURNS = (str,), (list,)
OWN = ("question",)
"""A row that has this column is not looked for a question elsewhere."""
LAYOUTS = (
    Layout("the_cauldron", {"texts": TURNS}, lacks=OWN, each=texts),
    *(
        Layout(f"conversation in '{name}'", {name: TURNS}, lacks=OWN, each=conversations(name))
        for name in ("conversations", "messages", "conversation")
    ),
    Layout(
        "verl",
        {"prompt": (str, list), "reward_model.ground_truth": (str, int, float, list)},
        {"asked": "prompt", "answer": "reward_model.ground_truth"},
        OWN,
    ),
    Layout(
        "prompt and completion (TRL)",
        {"prompt": (str, list), "completion": (str, list)},
        {"asked": "prompt", "reply": "completion"},
        OWN,
    ),
    Layout("prompt of messages (TRL)", {"prompt": TURNS}, {"asked": "prompt"}, OWN),
    Layout(
        "instruction and output (Alpaca)",
        {"instruction": TEXT, "output": TEXT},
        {"asked": "instruction", "context": "input", "reply": "output"},
        OWN,
    ),
    Layout(
        "query and response (ms-swift)", {"query": TEXT, "response": TEXT}, {"asked": "query", "reply": "response"}, OWN
    ),
    Layout(
        "VQAv2's files",
        {"question": TEXT, "multiple_choice_answer": TEXT, "data_subtype": TEXT, "image_id": int},
        {"answer": "multiple_choice_answer", "coco": "image_id"},
    ),
    Layout("VQAv2", {"question": TEXT, "multiple_choice_answer": TEXT}, {"answer": "multiple_choice_answer"}),
    Layout("answers of several people", {"question": TEXT, "answers": TURNS}, {"votes": "answers"}, lacks=("answer",)),
    Layout("A-OKVQA", {"choices": TURNS, "correct_choice_idx": int}, {"index": "correct_choice_idx"}),
    Layout("ScienceQA", {"choices": TURNS, "answer": int, "hint": (str, type(None))}, {"index": "answer"}),
    Layout(
        "problem and solution (VLM-R1)", {"problem": TEXT, "solution": TEXT}, {"reply": "solution"}, ("answer", *OWN)
    ),
)
"""In the order in which they are tried."""
_NESTED = ("conversations", "messages", "conversation", "texts", "prompt", "completion", "reward_model", "answers")
_NEEDED = [(frozenset(path.partition(".")[0] for path in layout.shape), layout) for layout in LAYOUTS]


def layout_of(row: Row) -> Layout | None:
    """The layout of a row; None if it has columns of its own."""
    return _layout_of(_opened(row))


def _layout_of(row: Row) -> Layout | None:
    names = row.keys()
    return next((layout for needed, layout in _NEEDED if needed <= names and layout.fits(row)), None)


def closest(row: Row) -> str:
    """The layout most of whose columns a row has, with those it lacks; empty if it has half of none."""
    lacking = {layout: [path for path in layout.shape if not _is(row, path, object)] for layout in LAYOUTS}
    best = min(LAYOUTS, key=lambda layout: len(lacking[layout]) / len(layout.shape))
    if len(lacking[best]) * 2 > len(best.shape):
        return ""
    return f"{best.name}, without {', '.join(lacking[best])}" if lacking[best] else f"{best.name}, with other types"


def adapted(row: Row) -> Iterator[Row]:
    """The rows of a row, in the columns that `rows` knows."""
    row = _opened(row)
    layout = _layout_of(row)
    if layout is None:
        yield row
    elif layout.each is not None:
        yield from layout.each(row)
    else:
        used = {path.partition(".")[0] for path in layout.columns.values()}
        found = {name: value for name, value in row.items() if name not in used}
        for what, path in layout.columns.items():
            READERS[what](found, _at(row, path))
        yield solved(found)


def _opened(row: Row) -> Row:
    """The row with the lists and mappings that CSV, and some Parquet files, have as text."""
    written = [name for name in _NESTED if isinstance(text := row.get(name), str) and text[:1] in ("[", "{")]
    found = {name: tables.literal_of(row[name]) for name in written}
    return {**row, **{name: value for name, value in found.items() if value is not None}} if found else row


def _is(row: Row, path: str, kind: type | tuple[type, ...]) -> bool:
    return path.partition(".")[0] in row and isinstance(_at(row, path), kind) and _at(row, path) != []


def _at(row: Row, path: str) -> Any:
    name, _, below = path.partition(".")
    value = row.get(name)
    return value if not below else value.get(below) if isinstance(value, Mapping) else None
