"""Loading one's own data: memory by rows, and speed by pictures.

    python tests/benchmarks/loading.py rows              # 100,000 and 1,000,000 rows of Parquet
    python tests/benchmarks/loading.py pictures [COUNT]  # 10,000 photographs of 5 megapixels

`rows` loads both splits of a Parquet file with `held_out`, each file in a process of its own, and prints the peak
memory; bar: at most 150 bytes for each further row. `pictures` loads both splits of files with distinct contents, and
decodes and hashes as many with nothing but Pillow, alternately and on the same core; bar: 0.8 of that rate.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = (2592, 1944)
PHOTOGRAPHS = 40
"""Different photographs; the files made of them differ in a comment."""
TOGETHER = 250
"""Pictures that are loaded, or decoded, in one go before the other has its turn."""


def write_rows(path: Path, count: int) -> None:
    """A Parquet file of `count` questions of different texts."""
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema({"id": "string", "question": "string", "answer": "string"})
    with parquet.ParquetWriter(path, schema) as file:
        for start in range(0, count, 10_000):
            numbers = range(start, min(count, start + 10_000))
            columns = [
                [f"row-{number:08}" for number in numbers],
                [f"What is {number} plus {number % 97}?" for number in numbers],
                [str(number + number % 97) for number in numbers],
            ]
            file.write_table(pyarrow.table(columns, schema))


def load(folder: Path, source: dict[str, object], splits: tuple[str, ...]) -> int:
    """Load splits of a source in a fresh store; returns the number of rows."""
    from openvlt.registry import Registry
    from openvlt.stages.load import load
    from openvlt.stages.workspace import Workspace
    from openvlt.store import Home

    home, registry = Home(folder), Registry.discover()
    for each in (home.images, home.values, home.stages, home.runs):
        each.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(home, registry)
    built = registry.build("source", source)
    return sum(load(workspace, f"load-{split}", 0, built, split).record.out for split in splits)


def rows(counts: tuple[int, ...] = (100_000, 1_000_000)) -> None:
    """Peak memory and time by the number of rows."""
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        for count in counts:
            subprocess.run([sys.executable, __file__, "--write", name, str(count)], check=True)
            done = subprocess.run([sys.executable, __file__, "--load", name], check=True, stdout=subprocess.PIPE)
            figures = json.loads(done.stdout)
            peaks.append(figures["peak"])
            print(f"{count:9,} rows: peak {figures['peak'] / 1e6:.0f} MB, {figures['cpu']:.0f} s of CPU", flush=True)
    grown = (peaks[-1] - peaks[0]) / (counts[-1] - counts[0])
    print(f"{grown:.0f} bytes for each further row")


def load_rows(folder: Path) -> None:
    source = {"use": "rows", "path": str(folder / "rows.parquet"), "held_out": 1000}
    with tempfile.TemporaryDirectory() as home:
        load(Path(home), source, ("train", "test"))
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) * 1024  # `ru_maxrss` would count the process that started this one
    print(json.dumps({"peak": peak, "cpu": time.process_time()}))


def photographs() -> list[bytes]:
    """JPEG files of `SIZE`, of smooth ground with the noise of a camera: 1 to 2 MB each."""
    import io

    from PIL import Image, ImageChops

    chance, found = random.Random(0), []
    for _ in range(PHOTOGRAPHS):
        ground = Image.frombytes("RGB", (16, 12), chance.randbytes(16 * 12 * 3)).resize(SIZE, Image.Resampling.BICUBIC)
        noise = Image.merge("RGB", [Image.effect_noise(SIZE, 12) for _ in range(3)])
        file = io.BytesIO()
        ImageChops.add(ground, noise, offset=-128).save(file, "JPEG", quality=90)
        found.append(file.getvalue())
    return found


def bare(files: list[Path]) -> None:
    """What no loading can do without."""
    from PIL import Image

    for path in files:
        content = path.read_bytes()
        hashlib.sha256(content).hexdigest()
        with Image.open(path) as picture:
            picture.load()


def pictures(count: int) -> None:
    """The rate of loading pictures, over that of the bare loop."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    seconds = {"bare": [0.0, 0.0], "load": [0.0, 0.0]}
    originals = photographs()
    print(f"{count:,} JPEG files of {sum(map(len, originals)) / len(originals) / 1e6:.1f} MB", flush=True)
    for start in range(0, count, TOGETHER):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            files = [folder / f"{number}.jpg" for number in range(start, min(count, start + TOGETHER))]
            for number, path in enumerate(files, start):
                comment = f"{number:012}".encode()
                original = originals[number % len(originals)]
                path.write_bytes(original[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + original[2:])
            lines = [{"question": f"What is {path.stem}?", "answer": "a", "image": path.name} for path in files]
            (folder / "my.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            source = {"use": "rows", "path": str(folder / "my.jsonl"), "held_out": 0.2}
            turns = [("bare", lambda: bare(files)), ("load", lambda: load(folder / "home", source, ("train", "test")))]  # noqa: B023
            for what, work in turns if start // TOGETHER % 2 else reversed(turns):
                os.sync()
                clock, cpu = time.monotonic(), time.process_time()
                work()
                seconds[what][0] += time.monotonic() - clock
                seconds[what][1] += time.process_time() - cpu
    for what, (clock, cpu) in seconds.items():
        print(f"{what}: {count / clock:.1f} pictures a second, {1000 * cpu / count:.1f} ms of CPU each")
    print(f"ratio {seconds['bare'][0] / seconds['load'][0]:.2f} by the clock, "
          f"{seconds['bare'][1] / seconds['load'][1]:.2f} by CPU time")  # fmt: skip


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--write", folder, count]:
            write_rows(Path(folder) / "rows.parquet", int(count))
        case ["--load", folder]:
            load_rows(Path(folder))
        case ["rows"]:
            rows()
        case ["pictures", *count]:
            pictures(int(count[0]) if count else 10_000)
        case _:
            sys.exit(__doc__)
