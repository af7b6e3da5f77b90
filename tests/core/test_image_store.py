"""Images come in checked, lie once, and are decoded when they are used."""

from __future__ import annotations

import errno
import struct
import zlib
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


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few dozen bytes whose header promises a picture of that size."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 100))]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in [*chunks, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + body


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
