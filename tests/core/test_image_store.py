"""Images come in checked, lie once, and are decoded when they are used."""

from __future__ import annotations

import copy
import errno
import hashlib
import os
import re
import struct
import threading
import tracemalloc
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import PIL.Image
import pytest

from openvlt.errors import DataError, Reject
from openvlt.records import Image
from openvlt.store import ImageStore


def encoded(colour: tuple[int, int, int] = (10, 20, 30), kind: str = "png", size: tuple[int, int] = (6, 4)) -> bytes:
    file = BytesIO()
    PIL.Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few dozen bytes whose header promises a picture of that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def files(store: ImageStore) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def test_the_same_bytes_lie_once_wherever_they_come_from(store: ImageStore, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    added = [
        store.add(Image.file(tmp_path / "a.png")),
        store.add(Image.data(encoded())),
        store.add(Image.data(encoded())),
    ]
    assert len(set(added)) == 1
    assert (added[0].width, added[0].height) == (6, 4)
    assert [path.read_bytes() for path in files(store)] == [encoded()]


def test_an_image_that_is_stored_already_is_returned_as_it_is(store: ImageStore) -> None:
    known = store.add(Image.data(encoded()))
    assert store.add(known) is known


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp"])
def test_images_are_decoded_to_rgb(store: ImageStore, kind: str) -> None:
    picture = store.read(store.add(Image.data(encoded((200, 20, 20), kind))))
    assert (picture.mode, picture.size) == ("RGB", (6, 4))
    red, green, blue = picture.getpixel((1, 1))
    assert red > 180
    assert max(green, blue) < 60


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "image unreadable"),
        (b"GIF89a", "image unreadable"),
        (b"<html>not found</html>", "image unreadable"),
        (encoded()[:50], "image unreadable"),
        (encoded(kind="jpeg")[:300], "image unreadable"),
        (bomb(20_000, 20_000), "image over 100 megapixels"),
        (bomb(2**30, 2**30), "image over 100 megapixels"),
        (b"\0" * (64 * 2**20 + 1), "image file over 64 MiB"),
    ],
    ids=["empty", "header only", "a web page", "torn png", "torn jpeg", "bomb", "larger bomb", "huge file"],
)
def test_a_bad_image_is_rejected_with_a_reason(store: ImageStore, tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    for image in (Image.data(content), Image.file(tmp_path / "bad")):
        with pytest.raises(Reject) as rejected:
            store.add(image)
        assert (rejected.value.reason, rejected.value.transient) == (reason, False)
    assert not files(store)


def test_a_missing_file_is_rejected(store: ImageStore, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.png", "image file missing"), (tmp_path, "image file unreadable")):
        with pytest.raises(Reject, match=reason):
            store.add(Image.file(path))


def test_an_image_that_was_lost_from_the_store_is_an_error(store: ImageStore) -> None:
    known = store.add(Image.data(encoded()))
    store.path(known).unlink()
    with pytest.raises(DataError, match=f"Image {known.sha256[:12]} cannot be read"):
        store.read(known)
    store.add(Image.data(encoded()))
    assert store.read(known).size == (6, 4)


def test_a_full_disk_is_an_error_and_leaves_no_half_image(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="cannot be written: No space left on device"):
            store.add(Image.data(encoded()))
    known = store.add(Image.data(encoded()))
    assert store.path(known).read_bytes() == encoded()


@pytest.mark.parametrize("kind", ["eps", "ppm", "tga", "pcx", "ico", "jpeg2000", "dds", "pdf"])
def test_other_formats_are_not_decoded(store: ImageStore, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(kind=kind, size=(16, 16))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(Reject, match="image unreadable"):
        store.add(Image.data(content))
    assert not files(store)


def test_only_the_first_frame_is_decoded(store: ImageStore) -> None:
    frames = [PIL.Image.new("RGB", (6, 4), (value, 0, 0)) for value in (250, 5, 5)]
    for kind in ("gif", "tiff", "png", "webp"):
        file = BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        picture = store.read(store.add(Image.data(file.getvalue())))
        red, _, _ = picture.getpixel((1, 1))
        assert (picture.size, red > 200) == ((6, 4), True), kind


@pytest.fixture(scope="module")
def packed() -> bytes:
    return zlib.compress(b"\0" * 300 * 2**20, 1)


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_bombs_in_the_chunks_of_a_png(store: ImageStore, packed: bytes, name: bytes) -> None:
    start, data, end = (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 14)),
        (b"IEND", b""),
    )
    bomb = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[name] + packed
    tracemalloc.start()
    try:
        with suppress(Reject):  # or it is read without the chunk
            store.add(Image.data(png(start, (name, bomb), data, end)))
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, encoded((1, 2, 3))], ids=["empty", "zeros", "another image"])
def test_a_damaged_image_is_never_used_and_is_restored_by_its_source(store: ImageStore, damage: bytes) -> None:
    known = store.add(Image.data(encoded()))
    store.path(known).write_bytes(damage)
    for read in (store.content, store.read):
        with pytest.raises(DataError, match=f"{known.sha256}: it is damaged"):
            read(known)
    assert store.add(Image.data(encoded())) == known
    assert store.content(known) == encoded()


def test_decoded_images_are_kept_up_to_a_number_of_bytes(tmp_path: Path) -> None:
    pictures = [encoded((value, 0, 0), size=(10, 10)) for value in range(4)]
    store = ImageStore(tmp_path, decoded=3 * 400)
    known = [store.add(Image.data(content)) for content in pictures]
    first = [store.read(image) for image in known[:3]]
    assert [store.read(image) for image in known[:3]] == first
    assert store.read(known[0]) is first[0]
    store.read(known[3])  # replaces the second, the least recently used
    assert store.read(known[0]) is first[0]
    assert store.read(known[2]) is first[2]
    assert store.read(known[1]) is not first[1]
    larger = store.add(Image.data(encoded(size=(40, 40))))
    assert store.read(larger) is not store.read(larger)


def test_threads_and_forked_children_read(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, decoded=5 * 400)
    known = [store.add(Image.data(encoded((value, 0, 0), size=(10, 10)))) for value in range(20)]
    done = threading.Event()

    def busy() -> None:
        while not done.is_set():
            for value, image in enumerate(known):
                assert store.read(image).getpixel((0, 0)) == (value, 0, 0)

    threads = [threading.Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            if not (child := os.fork()):
                os._exit(0 if store.read(known[7]).getpixel((0, 0)) == (7, 0, 0) else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert copy.copy(store).read(known[3]).getpixel((0, 0)) == (3, 0, 0)


def test_a_file_is_read_no_further_than_the_limit(store: ImageStore, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(Reject, match="image file over 64 MiB"):
        store.add(Image.file(path))


def test_a_stored_image_of_another_format_is_an_error(store: ImageStore) -> None:
    content = encoded(kind="ppm")
    known = Image(hashlib.sha256(content).hexdigest(), 6, 4)
    store.path(known).parent.mkdir(parents=True)
    store.path(known).write_bytes(content)
    with pytest.raises(DataError, match="image unreadable"):
        store.read(known)


def test_images_are_opened_in_one_place() -> None:
    root = Path(__file__).parents[2]
    opening = [
        path.relative_to(root).as_posix()
        for folder in ("core", "plugins")
        for path in (root / folder).rglob("*.py")
        if re.search(r"(Image|Pictures|PIL)\.open\(|load_image\(", path.read_text(encoding="utf-8"))
    ]
    assert opening == ["core/openvlt/store/decoding.py"]
