"""Prints the greedy replies of a model by hf, as JSON: in float32, on a GPU if this process sees one.

With ``--speed`` it prints the tokens a second of a batch of 32 questions, in bf16.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import PIL.Image

from openvlt import Message, Model, Request, Sampling
from openvlt.interfaces import Backend
from openvlt.registry import Registry

SPEED = "--speed" in sys.argv
COUNT, LONGEST = (32, 128) if SPEED else (4, 24)
requests = [
    Request((Message.user(f"What is {number} + 3?"),), key=f"{number:064x}", samples=(0,)) for number in range(COUNT)
]
model = Model(id=sys.argv[1], dtype="bfloat16" if SPEED else "float32")
backend = Registry.discover().build(Backend, "hf").component
with backend.open(model, lambda image: PIL.Image.open(Path(str(image)))) as engine:
    asked = Sampling(n=1, temperature=0.0, max_tokens=LONGEST)
    if SPEED:
        engine.generate(requests[:1], asked)  # starts the kernels
    started = time.perf_counter()
    found = engine.generate(requests, asked)
    seconds = time.perf_counter() - started
replies = [completions[0] for completions in found]
tokens = sum(each.completion_tokens for each in replies)
print(json.dumps({"tokens_a_second": round(tokens / seconds)} if SPEED else [each.text for each in replies]))
