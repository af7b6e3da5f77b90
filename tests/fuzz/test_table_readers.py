"""Damaged tables of every format give rows, rejected rows or a sentence, and so do the examples made of their rows."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pyarrow
from entrance import attempt, fuzzed
from hypothesis import strategies as st
from odd import damaged
from openpyxl import Workbook
from pyarrow import parquet

from openvlt.errors import Reject
from openvlt.records import Rejected
from openvlt.tables import choices_of, images_of, is_empty, read_table, text_of, whole_number_of

ROWS: list[dict[str, Any]] = [
    {"id": "1", "question": "Wie groß?", "answer": "3", "image": "a.png", "options": "['3', '4']"},
    {"id": "2", "question": 'a "b"\nc', "answer": "x", "image": "data:image/png;base64,iVBORw0KGgo=", "options": ""},
]
TEXT = "\n".join(["\t".join(ROWS[0]), *("\t".join(json.dumps(value) for value in row.values()) for row in ROWS)])


def as_parquet(**options: Any) -> bytes:
    buffer = BytesIO()
    rows = [{**row, "n": 1.5, "images": [{"bytes": b"\x89PNG", "path": None}]} for row in ROWS]
    parquet.write_table(pyarrow.Table.from_pylist(rows), buffer, **options)
    return buffer.getvalue()


def as_excel() -> bytes:
    book, buffer = Workbook(), BytesIO()
    for line in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
        book.active.append(line)
    book.save(buffer)
    return buffer.getvalue()


def as_log(method: int) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        for row in ROWS:
            archive.writestr(f"samples/{row['id']}_epoch_1.json", json.dumps(row))
    return buffer.getvalue()


VALID = {
    ".jsonl": ["\n".join(map(json.dumps, ROWS)).encode()],
    ".json": [json.dumps(ROWS).encode(), json.dumps({row["id"]: row for row in ROWS}, indent=1).encode()],
    ".tsv": [TEXT.encode()],
    ".csv": [TEXT.replace("\t", ",").encode(), TEXT.encode("utf-16")],
    ".parquet": [as_parquet(compression=each) for each in ("none", "snappy", "zstd", "gzip")],
    ".xlsx": [as_excel()],
    ".eval": [as_log(method) for method in (ZIP_STORED, ZIP_DEFLATED)],
    ".log": [b"[prompt] a\nb\n[output] c\n[ground_truth] d\n[score] 1.0\n\n" * 2],
}


FILES = st.sampled_from([(suffix, content) for suffix, some in VALID.items() for content in some])


@fuzzed(480, data=st.data(), file=FILES)
def test_a_damaged_table(tmp_path: Path, data: st.DataObject, file: tuple[str, bytes]) -> None:
    suffix, whole = file
    path = tmp_path / f"table{suffix}"
    path.write_bytes(data.draw(damaged(whole) | st.binary(max_size=100)))

    def read() -> None:
        for position, row in read_table(path):
            assert position.startswith(path.name)
            assert isinstance(row, Rejected) or all(isinstance(column, str) for column in row)

    attempt("tables", read)


CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=20)
    | st.binary(max_size=20)
    | st.dates()
    | st.sampled_from(["['a'", '["a"]', "{[]: 1}", "[[1]]", "{1, 2}", "-" * 5000 + "1", "(" * 300, "1e999", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("bytes"), inner),
    max_leaves=4,
)


@fuzzed(400, cell=CELLS)
def test_a_cell_of_any_type(cell: Any) -> None:
    def read() -> None:
        is_empty(cell)
        text_of(cell)
        for of in (
            choices_of,
            lambda value: whole_number_of(value, "it"),
            lambda value: images_of(value, Path("/data")),
        ):
            try:
                of(cell)
            except Reject as reject:
                assert reject.reason.isprintable()

    attempt("cells", read)
