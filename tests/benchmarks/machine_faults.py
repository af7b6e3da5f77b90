"""Right answers on a bad machine: ``python tests/benchmarks/machine_faults.py [COUNT]``.

COUNT (2,000) right symbolic answers, each of which needs a worker, are verified while workers are killed at random (also
while they start), while memory is short, while workers and then the whole process group are stopped, and on one CPU with
ten busy processes. Each must be correct in the end, and none may ever have a verdict to keep that says otherwise; a
claim the machine failed is tried again, as the next run of a stage does. Then 40 forked children score while threads of
their parent hold every lock in turn, and 1,000 threads score, with as many reward functions as threads.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import openvlt
from openvlt import Claim, Example, Format, Trace
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner

CHUNK = 256
WORKERS = 2
PASSES = 20


def claims(count: int) -> list[Claim]:
    """Different right answers that only values at points can decide."""
    found = []
    for index in range(count):
        a, b = 2 + index % 40, 3 + index // 40
        gold, said = [
            (rf"\sin({a}x)\cos({a}x)+{b}", rf"\frac{{\sin({2 * a}x)}}{{2}}+{b}"),
            (rf"\sin^2({a}x)+\cos^2({a}x)+{b}x", rf"1+{b}x"),
            (rf"e^{{{a}x}}\cdot e^{{{b}}}", rf"e^{{{a}x+{b}}}"),
            (rf"\ln({a}x)+{b}", rf"\ln({a})+\ln(x)+{b}"),
        ][index % 4]
        example = Example(id=str(index), question="", answer=gold)
        found.append(Claim(trace=Trace(think="", answer=said, raw=f"<answer>{said}</answer>"), example=example))
    return found


def measure(count: int) -> dict[str, object]:
    """Verify as a stage does: in chunks, and again what the machine failed."""
    kept: Counter[str] = Counter()
    start, waiting, failures = time.monotonic(), claims(count), list[int]()
    built = {"answer": Registry.discover().build("verifier", "answer")}
    while waiting and len(failures) < PASSES:
        lost = []
        with VerifierRunner(built, format=Format(), workers=WORKERS) as runner:
            for first in range(0, len(waiting), CHUNK):
                chunk = waiting[first : first + CHUNK]
                for claim, row in zip(chunk, runner.verdicts(chunk), strict=True):
                    if row["answer"].cause == "machine":
                        lost.append(claim)
                    else:
                        kept[
                            f"{row['answer'].status}, caused by {row['answer'].cause}"[
                                : 60 if row["answer"].cause else 7
                            ]
                        ] += 1
        failures.append(len(lost))
        waiting = lost
    return {"kept": dict(kept), "failed_by_the_machine": failures, "seconds": round(time.monotonic() - start, 1)}


def children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


Fault = Callable[[int, random.Random], None]
"""Happens once, to the process with this id and its workers."""


def kill(pid: int, rng: random.Random) -> None:
    time.sleep(rng.uniform(0.05, 2.0) * start_seconds())
    if workers := children(pid):
        signalled(rng.choice(workers), rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))


def shrink(pid: int, rng: random.Random) -> None:
    """No worker can be started for a moment, and one that runs gets no more memory."""
    time.sleep(rng.uniform(0.2, 4.0) * start_seconds())
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (64 << 20, hard))  # its children inherit it
        for worker in children(pid)[:1]:
            size = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
            resource.prlimit(worker, resource.RLIMIT_AS, (size, resource.prlimit(worker, resource.RLIMIT_AS)[1]))
        time.sleep(rng.uniform(0.1, 1.0))
        resource.prlimit(pid, resource.RLIMIT_AS, (hard, hard))
        signalled(children(pid)[-1], signal.SIGKILL)  # so that others must start
    except (OSError, IndexError, ValueError):
        return


def stop(pid: int, rng: random.Random) -> None:
    time.sleep(rng.uniform(0.2, 4.0) * start_seconds())
    chosen = children(pid) if rng.random() < 0.5 else [pid, *children(pid)]
    for each in chosen:
        signalled(each, signal.SIGSTOP)
    time.sleep(rng.choice([0.5, 4.0]))
    for each in chosen:
        signalled(each, signal.SIGCONT)


def nothing(pid: int, rng: random.Random) -> None:
    time.sleep(0.2)


@cache
def start_seconds() -> float:
    """How long a process with a worker takes to start, as busy as this machine is: kills are as frequent as starts."""
    start = time.monotonic()
    subprocess.run([sys.executable, __file__, "--measure", "1"], check=True, capture_output=True)
    return time.monotonic() - start


def signalled(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """The first CPU has that many busy processes."""
    spin = f"import os; os.sched_setaffinity(0, {{{first_cpu()}}})\nwhile True: pass"
    spinners = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(processes)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def first_cpu() -> int:
    return min(os.sched_getaffinity(0))


def under(fault: Fault, count: int, *, one_cpu: bool = False, load: int = 0) -> dict[str, object]:
    """Measure in a process group of its own while a fault happens to it again and again."""
    command = [sys.executable, __file__, "--measure", str(count), *(["--one-cpu"] if one_cpu else [])]
    rng, faults = random.Random(5), 0
    with busy(load), subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as measured:
        while measured.poll() is None:
            fault(measured.pid, rng)
            faults += 1
        assert measured.stdout is not None
        said = measured.stdout.read()
    return {**json.loads(said or '{"kept": "nothing was said"}'), "faults": faults}


def fork(children: int = 40, seconds: float = 300.0) -> dict[str, object]:
    """Children of a process whose threads score answer."""
    score = openvlt.reward("answer", workers=1, budget=None)
    stop = threading.Event()

    def work(number: int) -> None:
        while not stop.is_set():
            number += 8
            score(completions=[f"<answer>{number}</answer>"] * 50, answer=["7"] * 50)

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(8)]
    for thread in threads:
        thread.start()
    pids, answered = [], 0
    for _ in range(children):
        time.sleep(0.02)
        if (pid := os.fork()) == 0:
            right = score(completions=[r"<answer>\cos(\pi/2-x)</answer>"], answer=[r"\sin x"]) == [1.0]
            os._exit(0 if right else 1)
        pids.append(pid)
    deadline = time.monotonic() + seconds
    while pids and time.monotonic() < deadline:
        for pid in list(pids):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                pids.remove(pid)
                answered += status == 0
        time.sleep(0.05)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    stop.set()
    for thread in threads:
        thread.join()
    return {"children": children, "answered": answered, "hung": len(pids)}


def share(count: int = 1000) -> dict[str, object]:
    """Threads with a reward function each."""
    wrong, most, before = [0], 0, set(children(os.getpid()))

    def work(index: int) -> None:
        score = openvlt.reward("answer")
        wrong[0] += score(completions=[rf"<answer>\cos(\pi/2-x)+{index}</answer>"], answer=[rf"\sin x+{index}"]) != [
            1.0
        ]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, len(set(children(os.getpid())) - before))
        time.sleep(0.1)
    return {"threads": count, "wrong": wrong[0], "most_workers": most, "cpus": len(os.sched_getaffinity(0))}


def main() -> None:
    if "--measure" in sys.argv:
        if "--one-cpu" in sys.argv:
            os.sched_setaffinity(0, {first_cpu()})
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    runs: dict[str, Callable[[], dict[str, object]]] = {
        "undisturbed": lambda: under(nothing, count),
        "killed": lambda: under(kill, count),
        "without_memory": lambda: under(shrink, count),
        "stopped": lambda: under(stop, count),
        "one_cpu_at_load_10": lambda: under(nothing, count, one_cpu=True, load=10),
        "forked": fork,
        "threads": share,
    }
    for name in sys.argv[2:] or runs:
        print(json.dumps({name: runs[name]()}), flush=True)


if __name__ == "__main__":
    main()
