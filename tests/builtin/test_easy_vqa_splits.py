"""No image of easy-VQA's test split is among those that are trained or tuned on, to the byte."""

from __future__ import annotations

from hashlib import sha256

from openvlt.records import NewImage
from openvlt_plugins.easy_vqa.source import EasyVqa


def digests(split: str) -> set[str]:
    paths = {
        image.origin for example in EasyVqa().examples(split) for image in example.images if isinstance(image, NewImage)
    }
    return {sha256(path.read_bytes()).hexdigest() for path in paths if not isinstance(path, bytes)}


def test_no_image_is_in_two_splits() -> None:
    train, dev, test = digests("train"), digests("dev"), digests("test")
    assert (len(train) > 3000, len(dev) > 300, len(test)) == (True, True, 1000)
    assert not test & (train | dev)
    assert not train & dev
