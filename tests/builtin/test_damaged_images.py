"""A row whose image cannot be read is rejected with a reason, whatever the layout and the damage; it is never kept
without its image."""

from __future__ import annotations

import base64
import csv
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow
import pytest
from pyarrow import parquet

from openvlt import Example, Reject, Rejected, Source
from openvlt.integrations.dataset import write_dataset
from openvlt.integrations.exports import EXPORTS
from openvlt.records import Judged, Row, Trace
from openvlt.registry import Registry
from openvlt.stages.load import load
from openvlt.stages.workspace import Workspace
from openvlt.store import Home, ImageStore
from openvlt_plugins.llava_onevision.source import LlavaOneVision
from openvlt_plugins.qa.table import Table
from openvlt_plugins.rows.source import Rows

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(ran) print\n%%EOF\n"


def encoded(kind: str = "png", size: tuple[int, int] = (32, 24)) -> bytes:
    buffer = BytesIO()
    PIL.Image.effect_noise(size, 60).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


GOOD = encoded()
CONTENTS = {
    "truncated": GOOD[: len(GOOD) // 2],
    "without its end": GOOD[:-100],
    "a truncated jpeg": encoded("jpeg")[:-200],
    "a web page": b"<html>not found</html>" * 100,
    "eps": EPS * 40,
    "another format": encoded("ppm"),
    "nothing": b"",
    "too long a side": encoded(size=(2010, 10)),
}
TEXT = base64.b64encode(GOOD).decode()
URL = "data:image/png;base64,"


def as_rows(folder: Path, cell: Any) -> Source:
    (folder / "rows.jsonl").write_text(json.dumps({"question": "q", "answer": "a", "image": cell}))
    return Rows(path=str(folder / "rows.jsonl"))


def as_json(folder: Path, cell: Any) -> Source:
    (folder / "rows.json").write_text(json.dumps({"1": {"question": "q", "answer": "a", "image": cell}}))
    return Table(columns=COLUMNS, path=str(folder / "rows.json"), sizes={"train": 1}, images=("decoded_image|image",))


def as_tsv(folder: Path, cell: Any) -> Source:
    with (folder / "rows.tsv").open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file, delimiter="\t").writerows([["question", "answer", "image"], ["q", "a", cell]])
    return Table(columns=COLUMNS, path=str(folder / "rows.tsv"), sizes={"train": 1}, images=("image",))


def as_llava(folder: Path, cell: Any) -> Source:
    turns = [{"from": "human", "value": "<image>How many?"}, {"from": "gpt", "value": "3"}]
    write_parquet(folder / "config" / "a.parquet", {"id": "1", "image": cell, "conversations": turns})
    return LlavaOneVision(configs=("config",), data=str(folder))


def as_parquet(folder: Path, cell: Any) -> Source:
    write_parquet(folder / "rows.parquet", {"question": "q", "answer": "a", "image": cell})
    return Rows(path=str(folder / "rows.parquet"))


def write_parquet(path: Path, row: Mapping[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist([dict(row)]), path)


COLUMNS = {"question": "question", "answer": "answer"}
TEXT_LAYOUTS: dict[str, Callable[[Path, Any], Source]] = {"rows": as_rows, "json": as_json, "tsv": as_tsv}
LAYOUTS = {**TEXT_LAYOUTS, "llava": as_llava, "parquet": as_parquet}


def reasons(source: Source, store: ImageStore) -> Iterator[str]:
    """Why each row is rejected, by the source or when it is loaded."""
    for item in source.examples("train"):
        if isinstance(item, Rejected):
            yield item.reason
            continue
        assert isinstance(item, Example)
        assert item.images
        try:
            for image in item.images:
                store.add(image)
        except Reject as reject:
            yield reject.reason
        else:
            yield ""


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "home" / "images")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "good.png").write_bytes(GOOD)
    (tmp_path / "private.png").write_bytes(GOOD)
    return folder


@pytest.mark.parametrize(
    "layout", ["path", "bytes", "struct", "list of bytes", "base64", "data url", "list", "written"]
)
@pytest.mark.parametrize("damage", ["", *CONTENTS])
def test_damaged_content(data: Path, store: ImageStore, layout: str, damage: str) -> None:
    content = CONTENTS.get(damage, GOOD)
    (data / "a.png").write_bytes(content)
    text = base64.b64encode(content).decode()
    in_parquet = {"path": "a.png", "bytes": content, "struct": {"bytes": content, "path": None}}
    if layout in ("path", "bytes", "struct", "list of bytes"):
        cell: Any = in_parquet.get(layout, [GOOD, content])
        sources = [as_parquet(data, cell), *([as_rows(data, cell)] if layout == "path" else [as_llava(data, cell)])]
    elif layout == "written":
        sources = [as_tsv(data, f"['{TEXT}', '{text}']")]
    else:
        cell = {"base64": text, "data url": URL + text, "list": [URL + TEXT, text]}[layout]
        if cell == "":
            return  # an empty cell has no image
        sources = [make(data, cell) for make in (as_rows, as_json, *([as_tsv] if layout != "list" else []))]
    for source in sources:
        (reason,) = reasons(source, store)
        assert bool(reason) == bool(damage), (source, reason)


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
@pytest.mark.parametrize("cut", [1, 2, 3, 4, 50, 900])
def test_truncated_text(data: Path, store: ImageStore, layout: str, cut: int) -> None:
    for cell in (TEXT[:-cut], URL + TEXT[:-cut], f"['{TEXT}', '{TEXT[:-cut]}']", f"['{TEXT}', '{TEXT}']"[: -cut - 1]):
        (reason,) = reasons(TEXT_LAYOUTS[layout](data, cell), store)
        # Without its last characters an image may lack no more than the end of its last chunk, and be whole.
        assert reason or cut <= 16, cell[-100:]
    cell = [TEXT, f"{URL}{TEXT[:-cut]}"]
    (reason,) = reasons(as_rows(data, cell), store)
    assert reason or cut <= 16


OUTSIDE = "an image is outside the data's folder; set image_folder if that is intended"
PATHS = {
    "../private.png": OUTSIDE,
    "sub/../../private.png": OUTSIDE,
    "link.png": OUTSIDE,
    "linked/private.png": OUTSIDE,
    "/dev/zero": OUTSIDE,
    "/proc/self/environ": OUTSIDE,
    "fifo": "image file unreadable (not a regular file)",
    "socket": "image file unreadable (not a regular file)",
    ".": "image file unreadable (not a regular file)",
    "loop": "image file unreadable (Too many levels of symbolic links)",
    "none.png": "image file missing",
    "a" * 300: "image file unreadable (File name too long)",
    "a/" * 500: "image file missing",
    "a." * 2500: "an image is neither a path nor base64",
    "a\0b.png": "an image is neither a path nor base64",
    "\ud800.png": "an image's path is not a file name",
    "file:///etc/passwd": "remote image; download it first",
    "https://example.org/a.png": "remote image; download it first",
}


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: ascii(path)[:30])
def test_paths_that_must_not_be_read(data: Path, store: ImageStore, layout: str, path: str) -> None:
    if layout == "tsv" and not path.isascii():
        pytest.skip("a text file has no lone surrogates")
    os.mkfifo(data / "fifo")
    (data / "loop").symlink_to("loop")
    (data / "link.png").symlink_to("../private.png")
    (data / "linked").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(data / "socket"))
        (reason,) = reasons(TEXT_LAYOUTS[layout](data, path), store)
    assert reason == PATHS[path]
    assert not store.folder.exists()


@pytest.mark.parametrize("path", ["good.png", "sub/../good.png", "inner.png"])
def test_files_of_the_data_are_read(data: Path, store: ImageStore, path: str) -> None:
    (data / "sub").mkdir()
    (data / "inner.png").symlink_to("good.png")
    for cell in (path, str(data / path)):
        assert list(reasons(as_rows(data, cell), store)) == [""]


def test_a_folder_that_the_user_names_is_the_root(data: Path, tmp_path: Path, store: ImageStore) -> None:
    (data / "tables").mkdir()
    row = {"question": "q", "answer": "a", "image": "../good.png"}
    (data / "tables" / "rows.jsonl").write_text(json.dumps(row))
    options: dict[str, Any] = {"columns": COLUMNS, "sizes": {"train": 1}, "images": ("image",)}
    assert list(reasons(Table(path=str(data / "tables"), **options), store)) == [OUTSIDE]
    assert list(reasons(Table(path=str(data), **options), store)) == [""]  # image paths start at the table
    row["image"] = "private.png"
    (data / "tables" / "rows.jsonl").write_text(json.dumps(row))
    for source in (Rows, Table):
        more = options if source is Table else {}
        without = source(path=str(data / "tables"), **more)
        named = source(path=str(data / "tables"), image_folder=str(tmp_path), **more)
        assert list(reasons(without, store)) == ["image file missing"]
        assert list(reasons(named, store)) == [""]
        assert named.revision() != without.revision()


def test_links_of_the_hubs_cache_stay_in_their_repository(tmp_path: Path, store: ImageStore) -> None:
    repository, other = tmp_path / "datasets--owner--name", tmp_path / "datasets--owner--private"
    snapshot = repository / "snapshots" / "0123"
    for folder in (repository / "blobs", other / "blobs", snapshot / "images"):
        folder.mkdir(parents=True)
    (repository / "blobs" / "aa").write_bytes(GOOD)
    (other / "blobs" / "bb").write_bytes(GOOD)
    (snapshot / "images" / "1.png").symlink_to("../../../blobs/aa")
    (snapshot / "images" / "2.png").symlink_to("../../../../datasets--owner--private/blobs/bb")
    for number, reason in ((1, ""), (2, OUTSIDE)):
        row = {"question": "q", "answer": "a", "image": f"images/{number}.png"}
        (repository / "blobs" / f"table{number}").write_text(json.dumps(row))
        (snapshot / "rows.jsonl").unlink(missing_ok=True)
        (snapshot / "rows.jsonl").symlink_to(f"../../blobs/table{number}")
        for path in (snapshot, snapshot / "rows.jsonl"):
            assert list(reasons(Rows(path=str(path)), store)) == [reason]


def _traced(row: Row) -> Row:
    return replace(row, judged=(Judged(trace=Trace(think="", answer="a", raw="a"), verdicts={}),))


def test_no_export_contains_a_picture_of_the_machine(data: Path, tmp_path: Path) -> None:
    rows = [{"question": "q", "answer": "a", "image": path} for path in ("good.png", "../private.png", "/dev/zero")]
    (tmp_path / "private.png").write_bytes(encoded(size=(16, 16)))
    (data / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    workspace = Workspace(Home(tmp_path / "home"), Registry.discover(), reject_above=0.9)
    source = workspace.registry.build(Source, {"use": "rows", "path": str(data / "rows.jsonl")})
    loaded = load(workspace, "load-1", 1, source, "train")
    assert dict(loaded.record.rejected) == {OUTSIDE: 2}
    for name, export in EXPORTS.items():
        export(map(_traced, loaded.rows()), workspace.format, workspace.images, tmp_path / name, "run")
    write_dataset(tmp_path / "dataset", loaded.rows(), workspace.images, "card")
    for name in ("easyr1", "verl"):
        (row,) = parquet.read_table(tmp_path / name / "data").to_pylist()
        assert [image["bytes"] for image in row["images"]] == [GOOD]
    assert [path.read_bytes() for path in (tmp_path / "sharegpt" / "images").iterdir()] == [GOOD]


def test_rows_of_the_hub_name_images_of_their_own_cache(
    tmp_path: Path, data: Path, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("datasets.config.DOWNLOADED_DATASETS_PATH", tmp_path / "downloads")
    monkeypatch.chdir(data)
    own, extracted = tmp_path / "datasets--owner--name" / "blobs" / "aa", tmp_path / "downloads" / "extracted" / "1.png"
    for path in (own, extracted):
        path.parent.mkdir(parents=True)
        path.write_bytes(GOOD)
    cells = {
        "good.png": "image file missing",  # it is in the working directory
        "../data/good.png": OUTSIDE,
        str(data / "good.png"): OUTSIDE,
        str(own): "",
        str(extracted): "",
    }
    rows = [{"question": "q", "answer": "a", "image": {"bytes": None, "path": cell}} for cell in cells]
    monkeypatch.setattr("openvlt.tables.hub_rows", lambda *_: iter(rows))
    table = Table(columns=COLUMNS, dataset="owner/name", sizes={"train": 1}, images=("image",))
    assert list(reasons(table, store)) == list(cells.values())
    streamed = LlavaOneVision(configs=("config",))
    turns = [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "3"}]
    monkeypatch.setattr(LlavaOneVision, "_stream", lambda *_: iter([{"image": "good.png", "conversations": turns}]))
    assert list(reasons(streamed, store)) == ["an image is a path, but the data has no folder"]
