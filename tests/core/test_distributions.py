"""Our own reading of the installed metadata agrees with Python's."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from openvlt.registry.distributions import distributions


def install(site: Path, folder: str, metadata: str, points: str) -> None:
    """Write what an installer writes."""
    (site / folder).mkdir(parents=True)
    (site / folder / "METADATA").write_text(metadata)
    (site / folder / "entry_points.txt").write_text(points)


def test_it_finds_what_importlib_metadata_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = "Metadata-Version: 2.4\nName: openvlt-Odd_One\nVersion: 2.0\n\nName: not-this\n"
    points = (
        "[console_scripts]\nopenvlt-odd = odd:main\n\n# a comment\n[openvlt]\none = odd.one\n"
        "two-b=odd.two\n three = odd.three [extra]\n\n[openvlt.other]\nfour = odd.four\n"
    )
    install(tmp_path / "first", "openvlt_odd_one-2.0.dist-info", metadata, points)
    older = metadata.replace("2.0", "1.0").replace("Odd_One", "odd.one")
    install(
        tmp_path / "second", "openvlt_odd_one-1.0.dist-info", older, points.replace("one = odd.one", "old = odd.old")
    )
    for folder in ("second", "first", "absent"):
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    ours = {(one.name, one.version, name, module) for one in distributions() for name, module in one.plugins.items()}
    theirs = set()
    for point in entry_points(group="openvlt"):
        assert point.dist is not None
        theirs.add((point.dist.name, point.dist.version, point.name, point.module))
    assert ours == theirs
    assert ("openvlt-Odd_One", "2.0", "three", "odd.three") in ours
    assert any(name == "openvlt" for name, *_ in ours)


def test_metadata_that_cannot_be_read_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "openvlt_bad-1.0.dist-info", "", "[openvlt]\nbad = openvlt_bad\n")
    (tmp_path / "openvlt_bad-1.0.dist-info" / "METADATA").write_bytes(b"\xff\xfe")
    (tmp_path / "openvlt_worse-1.0.dist-info").mkdir()
    (tmp_path / "openvlt_worse-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [one for one in distributions() if "bad" in one.plugins]
    assert [(one.name, one.version) for one in found] == [("openvlt_bad", "")]


def test_a_listing_does_not_import_importlib_metadata() -> None:
    program = "import sys, openvlt.registry as r; r.Registry.discover(); print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
