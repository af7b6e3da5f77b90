"""Claims a second of the reward server on one core: ``python tests/benchmarks/reward_server_speed.py``; the bar is 2,000.

10,000 different claims in the mix of `verifier_speed`, as rows of an export, scored in this process, then by a server
of one process in batches of 2,560 (a step of OpenVLThinker's GRPO) and one by one, as verl asks. Every score must equal
that of this process. The rates are per second of CPU time, of the server's processes where it scores, so that a busy
machine does not matter.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ["PAIRS"] = os.environ.get("PAIRS", "10000")

from verifier_speed import mix

from openvlt import Example
from openvlt.integrations import reward_client
from openvlt.integrations.claims import pack
from openvlt.integrations.reward_server import RewardServer
from openvlt.integrations.scores import exported, reward_of, score_rows

SPEC: dict[str, Any] = {
    "rewards": {"answer": 1.0, "format": 0.1}, "routes": {}, "verifiers": {}, "format": {}, "plugins": [],
}  # fmt: skip
BATCH, BAR = 2560, 2000


def rows() -> list[dict[str, str]]:
    return [
        {
            "response": f"<think>{'so ' * 200}</think>\n<answer>{said}</answer>",
            "ground_truth": pack(Example(id=str(index), question="What is it?", answer=gold)),
        }
        for index, (gold, said, _) in enumerate(mix())
    ]


def cpu(pid: int) -> float:
    """CPU seconds of a process and of those it has started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(cpu(int(child)) for child in children)


def timed(pid: int, score: Callable[[list[Any]], list[Any]], asked: list[Any]) -> tuple[list[Any], int]:
    started = cpu(pid)
    found = [each for at in range(0, len(asked), BATCH) for each in score(asked[at : at + BATCH])]
    return found, round(len(asked) / (cpu(pid) - started))


def one_by_one(some: list[Any]) -> list[Any]:
    with ThreadPoolExecutor(16) as pool:
        return [score for [score] in pool.map(lambda row: reward_client.rewards([row]), some)]


def warm_up(score: Callable[[list[Any]], list[Any]]) -> None:
    """Start the workers of the verifiers, and their spare one."""
    score([{"response": "<answer>1</answer>", "ground_truth": r"\sin^2 x+\cos^2 x"}])
    time.sleep(8)


def main() -> None:
    asked, function = rows(), reward_of(SPEC, workers=1)

    def in_process(some: list[Any]) -> list[Any]:
        return [exported(row) for row in score_rows(some, function)]

    warm_up(in_process)
    own, here = timed(os.getpid(), in_process, asked)
    with RewardServer(SPEC) as server:
        os.environ["OPENVLT_REWARDS"] = server.url
        warm_up(reward_client.rewards)
        served, batched = timed(server.pids[0], reward_client.rewards, asked)
        known, again = timed(server.pids[0], reward_client.rewards, asked)
        singles, singly = timed(server.pids[0], one_by_one, asked)
    different = sum(own[i] != one[i] for one in (served, known, singles) for i in range(len(asked)))
    print(json.dumps({
        "claims": len(asked), "different": different, "in_process_per_second": here, "served_per_second": batched,
        "served_again_per_second": again, "one_by_one_and_again_per_second": singly,
    }))  # fmt: skip
    sys.exit(different > 0 or batched < BAR)


if __name__ == "__main__":
    main()
