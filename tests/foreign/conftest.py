"""A job for a trainer of another environment."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest

from openvlt import Example, Format, Image, Model

TINY = Path(__file__).parents[2] / "tasks/openvlt_tasks/models/tiny_vl"


def png() -> bytes:
    file = BytesIO()
    PIL.Image.new("RGB", (64, 48), (1, 2, 3)).save(file, "png")
    return file.getvalue()


@pytest.fixture(params=["job", "job of 'two' words, {a: b} & ü=1"])
def job(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    image = Image(sha256="0" * 64, width=64, height=48)
    folder = tmp_path / request.param
    folder.mkdir()
    return SimpleNamespace(
        model=Model(id=str(TINY), pixels=(3136, 262144)), format=Format(), folder=folder, engine=folder / "engine",
        seed=7, content=lambda image: png(),
        rewards={"rewards": {"answer": 1.0}, "routes": {}, "verifiers": {}, "format": {}, "plugins": []},
        examples=lambda: [
            Example(id=str(n), question=f"What is {n} + {n}?", answer=str(2 * n), images=(image,) * (n % 2))
            for n in range(20)
        ],
    )  # fmt: skip
