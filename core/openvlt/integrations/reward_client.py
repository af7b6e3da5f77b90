"""The rewards that `openvlt serve-rewards` serves, for verl, EasyR1, OpenRLHF and slime; needs nothing but Python."""

import asyncio
import http.client
import json
import os
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

URL = "http://127.0.0.1:8700"
REWARD_NAME, REWARD_TYPE = "openvlt", "batch"  # for EasyR1
_open = build_opener(ProxyHandler({})).open  # a proxy is for what is outside
BODY_BYTES, MOST_ROWS = 64 << 20, 20_000  # of a request
KNOWN = ("id", "question", "choices", "answer_type", "precision", "unit")


def rewards(rows: list[dict[str, Any]], patience: float = 600.0) -> list[dict[str, float]]:
    """The scores of rows; asks again while nobody answers, for so many seconds. An answer may take six times as long.

    More rows than a request may have are asked for in several; those that answer one question stay together.
    """
    body = json.dumps({"rows": rows}, default=_plain).encode()
    if len(body) <= BODY_BYTES and (not isinstance(rows, list) or len(rows) <= MOST_ROWS):
        return _answered(body, patience)
    asked = [str(row.get("group") or row.get("id") or row.get("ground_truth")) for row in rows]
    names = list(dict.fromkeys(asked))
    if len(names) < 2:
        return _answered(body, patience)
    first, found = set(names[: len(names) // 2]), dict[int, dict[str, float]]()
    for half in (True, False):
        chosen = [index for index, name in enumerate(asked) if (name in first) == half]
        found.update(zip(chosen, rewards([rows[index] for index in chosen], patience)))  # noqa: B905 - older Pythons
    return [found[index] for index in range(len(rows))]


def _plain(value: Any) -> Any:
    """What JSON does not have: arrays and numbers of numpy, bytes, and others as their text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _answered(body: bytes, patience: float) -> list[dict[str, float]]:
    url = os.environ.get("OPENVLT_REWARDS", URL).rstrip("/") + "/scores"
    request = Request(url, body, {"Content-Type": "application/json"})
    end, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            with _open(request, timeout=6 * patience) as reply:
                return json.load(reply)["scores"]  # type: ignore[no-any-return]
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, HTTPError) and error.code != 503:
                raise RuntimeError(error.read().decode(errors="replace")) from None
            if time.monotonic() > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


def compute_score(
    data_source: Any = None, solution_str: Any = None, ground_truth: Any = None, extra_info: Any = None, *,
    reward_inputs: Any = None, **_: Any,
) -> Any:  # fmt: skip
    """For verl, one sample a call; for EasyR1, one dict or a list of them."""
    inputs = data_source if reward_inputs is None and isinstance(data_source, (list, dict)) else reward_inputs
    if inputs is not None:
        return rewards(inputs) if isinstance(inputs, list) else rewards([inputs])[0]
    info = extra_info or {}
    known = {} if info.get("example") else {name: info[name] for name in KNOWN if name in info}
    gold = info.get("example") or ground_truth
    [score] = rewards([{**known, "source": data_source, "response": solution_str, "ground_truth": gold}])
    return {"score": score.pop("overall"), **score}


def reward_func(queries: Any, prompts: Any, labels: Any, **_: Any) -> dict[str, Any]:
    """For OpenRLHF: ``--remote_rm_url reward.py``."""
    import torch

    rows = [
        {"response": query.removeprefix(prompt), "ground_truth": label, "group": prompt}
        for query, prompt, label in zip(queries, prompts, labels)  # noqa: B905 - also for older Pythons
    ]
    scores = rewards(rows)
    logs = {name: torch.tensor([score[name] for score in scores]) for name in (scores[0] if scores else ())}
    return {"rewards": logs["overall"], "scores": logs["overall"], "extra_logs": logs}


async def custom_rm(args: Any, sample: Any, **_: Any) -> Any:
    """For slime: ``--custom-rm-path reward.custom_rm``, with ``--group-rm`` a list of samples."""
    samples = sample if isinstance(sample, list) else [sample]
    rows = [
        {"response": each.response, "ground_truth": each.label, "group": getattr(each, "group_index", None)}
        for each in samples
    ]
    found = [score["overall"] for score in await asyncio.to_thread(rewards, rows)]
    return found if isinstance(sample, list) else found[0]
