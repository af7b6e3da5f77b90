"""Images by digest: stored once, checked on the way in, decoded when they are used."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from openvlt import forks, system
from openvlt.errors import DataError, Reject
from openvlt.records import Image, NewImage
from openvlt.store.decoding import decode_image
from openvlt.store.writing import writing
from openvlt.tables.reading import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_BYTES = 64 * 2**20
DECODED_BYTES = 256 * 2**20
"""Decoded images that a process keeps."""
UNSYNCED = 256
"""Images written before they are synced; one by one it would take several times as long."""


class ImageStore:
    """The images of a home; used by several threads, and in forked processes.

    Args:
        folder: ``$OPENVLT_HOME/images``.
        decoded: bytes of decoded images to keep, the most recently used ones.
    """

    def __init__(self, folder: Path, decoded: int = DECODED_BYTES) -> None:
        self.folder = folder
        self._decoded = _Decoded(decoded)
        self._unsynced: list[Path] = []
        self._syncing: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1)  # waits for the disk while the next images are decoded

    def __reduce__(self) -> tuple[type[ImageStore], tuple[Path, int]]:
        return ImageStore, (self.folder, self._decoded.most)

    def path(self, image: Image) -> Path:
        """The file of an image."""
        return self.folder / image.sha256[:2] / image.sha256

    def add(self, image: Image) -> Image:
        """Check and store an image of a source; a stored one is returned unchanged, a damaged one is replaced.

        Raises:
            Reject: the image is missing, unreadable, of a format that is not read, or too large to decode safely.
            DataError: the disk is full or read-only.
        """
        if not isinstance(image, NewImage):
            return image
        content = _content(image.origin)
        width, height = decode_image(content).size
        stored = Image(hashlib.sha256(content).hexdigest(), width, height)
        if not self._has(stored):
            self._write(self.path(stored), content)
        return stored

    def sync(self) -> None:
        """Wait until all added images are on the disk."""
        self._begin_sync()
        if self._syncing:
            self._syncing.result()

    def content(self, image: Image) -> bytes:
        """The image's encoded bytes, whose digest is checked: 1 ms for 1 MB.

        Raises:
            DataError: they cannot be read, or are damaged.
        """
        try:
            content = self.path(image).read_bytes()
            problem = "" if hashlib.sha256(content).hexdigest() == image.sha256 else "it is damaged"
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise self._unusable(image, problem)
        return content

    def read(self, image: Image) -> Picture:
        """The decoded image; not to be changed, for it is kept.

        Raises:
            DataError: its file cannot be read, or is damaged.
        """
        picture = self._decoded.get(image.sha256)
        if picture is None:
            try:
                picture = decode_image(self.content(image))
            except Reject as reject:  # it was stored by a version that read other formats
                raise self._unusable(image, reject.reason) from reject
            self._decoded.keep(image.sha256, picture)
        return picture

    def _unusable(self, image: Image, problem: str) -> DataError:
        return DataError(
            f"Image {image.sha256[:12]} cannot be read from {self.path(image)}: {problem}.",
            "Restore the file, or run the same command with a fresh OPENVLT_HOME.",
        )

    def _has(self, image: Image) -> bool:
        try:
            self.content(image)
        except DataError:
            return False
        return True

    def _write(self, target: Path, content: bytes) -> None:
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(target)
        self._unsynced.append(target)
        if len(self._unsynced) == UNSYNCED:
            self._begin_sync()

    def _begin_sync(self) -> None:
        if self._syncing:
            self._syncing.result()
        self._syncing = self._thread.submit(_sync, self._unsynced)
        self._unsynced = []


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        with writing(path):
            system.sync(path)


class _Decoded:
    """The most recently used pictures, up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = forks.renewed_at_fork(threading.Lock())
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Picture | None:
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)

    def keep(self, key: str, picture: Picture) -> None:
        with self._lock:
            if key in self._pictures:
                return
            self._pictures[key] = picture
            self._bytes += _size(picture)
            while self._bytes > self.most and self._pictures:  # a child forked in here may count too many
                self._bytes -= _size(self._pictures.popitem(last=False)[1])


def _size(picture: Picture) -> int:
    return 4 * picture.width * picture.height  # Pillow uses 4 bytes for a pixel of RGB


def _content(origin: Path | bytes) -> bytes:
    try:
        content = origin if isinstance(origin, bytes) else _read(origin)
    except FileNotFoundError as error:
        raise Reject("image file missing") from error
    except OSError as error:
        transient = error.errno in system.OF_MACHINE
        raise Reject(f"image file unreadable ({error.strerror})", transient=transient) from error
    if len(content) > MAX_BYTES:
        raise Reject(f"image file over {MAX_BYTES >> 20} MiB")
    return content


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(MAX_BYTES + 1)  # whatever its size was: it may grow
