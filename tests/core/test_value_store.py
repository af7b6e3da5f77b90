"""The value store keeps every committed value and nothing else, whatever happens to its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest

from openvlt.errors import DataError
from openvlt.store import ValueStore, digest

KEYS = [digest("row", index) for index in range(100)]


def value(index: int) -> bytes:
    return json.dumps({"value": f"row {index}"}).encode()


def values(*indices: int) -> list[tuple[str, bytes]]:
    return [(KEYS[index], value(index)) for index in indices]


def present(folder: Path) -> list[int]:
    """The values a fresh process finds, each compared."""
    with ValueStore(folder) as store:
        found = store.get_all(KEYS)
    indices = [index for index, key in enumerate(KEYS) if key in found]
    assert found == dict(values(*indices))
    return indices


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A store of values 0 to 5 in two chunks."""
    with ValueStore(tmp_path / "values") as store:
        store.put(values(0, 1, 2))
        store.put(values(3, 4, 5))
    return tmp_path / "values"


def shard(folder: Path) -> Path:
    (path,) = folder.glob("*.jsonl")
    return path


def forget_index(folder: Path) -> None:
    for path in folder.glob("index.sqlite*"):
        path.unlink()


def test_values_are_read_back_by_key(filled: Path) -> None:
    assert present(filled) == [0, 1, 2, 3, 4, 5]
    with ValueStore(filled) as store:
        assert store.missing(KEYS[4:8]) == KEYS[6:8]
        assert store.get_all([KEYS[6]]) == {}


def test_a_value_that_was_written_twice_keeps_its_first_value(filled: Path) -> None:
    with ValueStore(filled) as store:
        store.put([(KEYS[0], b'{"value":"another"}')])
    assert present(filled) == [0, 1, 2, 3, 4, 5]


def test_losing_the_index_loses_nothing(filled: Path) -> None:
    forget_index(filled)
    assert present(filled) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("where", ["head", "middle", "whole", "empty"])
def test_a_damaged_index_is_rebuilt(filled: Path, where: str) -> None:
    path = filled / "index.sqlite"
    content = bytearray(path.read_bytes())
    spans = {"head": (0, 100), "middle": (4096, len(content)), "whole": (0, len(content)), "empty": (0, 0)}
    start, end = spans[where]
    content[start:end] = b"\x5a" * (end - start)
    path.write_bytes(content if where != "empty" else b"")
    assert present(filled) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("kept_index", [True, False])
@pytest.mark.parametrize("lost", [1, 5, 20, 60, 120])
def test_a_torn_end_costs_the_last_chunk_at_most(filled: Path, lost: int, kept_index: bool) -> None:
    os.truncate(shard(filled), shard(filled).stat().st_size - lost)
    if not kept_index:
        forget_index(filled)
    left = present(filled)
    assert left[:3] == [0, 1, 2]
    with ValueStore(filled) as store:
        store.put(values(*[index for index in range(6) if index not in left]))
    assert present(filled) == [0, 1, 2, 3, 4, 5]


def test_a_chunk_without_its_commit_line_does_not_count(filled: Path) -> None:
    with shard(filled).open("ab") as file:
        file.writelines(b"%s\t%08x\t%s\n" % (key.encode(), crc32(line), line) for key, line in values(6, 7))
    assert present(filled) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("kept_index", [True, False])
@pytest.mark.parametrize("damaged", [b'{"val\x00\xff": "row 1"}', b'{"value": "row 9"}'])
def test_a_damaged_line_costs_no_value_of_another_chunk(filled: Path, kept_index: bool, damaged: bytes) -> None:
    content = shard(filled).read_bytes().replace(b'{"value": "row 1"}', damaged)
    shard(filled).write_bytes(content)
    if not kept_index:
        forget_index(filled)
    left = present(filled)
    assert 1 not in left
    assert left[-3:] == [3, 4, 5]
    with ValueStore(filled) as store:
        assert store.missing([KEYS[1]])
        store.put(values(*[index for index in range(6) if index not in left]))
    assert present(filled) == [0, 1, 2, 3, 4, 5]


def test_a_lost_shard_is_lost_and_nothing_else(filled: Path) -> None:
    with ValueStore(filled) as store:
        store.put(values(6, 7))
    (filled / "000001.jsonl").unlink()
    assert present(filled) == [6, 7]


APPEND = """
import sys
from pathlib import Path
from openvlt.store import ValueStore, digest
with ValueStore(Path(sys.argv[1])) as store:
    for start in range(int(sys.argv[2]), 100, 2):
        store.put([(digest("row", start), b'{"value": "row %d"}' % start)])
    print(len(store.missing([digest("row", index) for index in range(100)])))
"""


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", APPEND, str(tmp_path / "values")]
    both = [subprocess.Popen([*command, str(start)], stdout=subprocess.PIPE) for start in (0, 1)]
    assert [process.wait(600) for process in both] == [0, 0]
    assert len(list((tmp_path / "values").glob("*.jsonl"))) == 2
    assert present(tmp_path / "values") == list(range(100))


FILL = """
import resource, sys
from pathlib import Path
from openvlt.errors import DataError
from openvlt.store import ValueStore, digest
try:
    with ValueStore(Path(sys.argv[1])) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        for index in range(100):
            store.put([(digest("row", index), b'{"value": "row %d", "padding": "%s"}' % (index, b"x" * 30_000))])
except DataError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_that_says_so_and_keeps_what_was_finished(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(tmp_path / "values")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path / 'values'} cannot be written: File too large. Free some space")
    with ValueStore(tmp_path / "values") as store:
        assert store.missing(KEYS) == KEYS[3:]


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        ValueStore(tmp_path / "file" / "values")
