"""Prints the greedy replies of a model by hf, as JSON: in float32, on a GPU if this process sees one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import PIL.Image

from openvlt import Message, Model, Request, Sampling
from openvlt.interfaces import Backend
from openvlt.registry import Registry

requests = [
    Request((Message.user(f"What is {number} + 3?"),), key=f"{number:064x}", samples=(0,)) for number in range(4)
]
model = Model(id=sys.argv[1], dtype="float32")
backend = Registry.discover().build(Backend, "hf").component
with backend.open(model, lambda image: PIL.Image.open(Path(str(image)))) as engine:
    found = engine.generate(requests, Sampling(n=1, temperature=0.0, max_tokens=24))
print(json.dumps([completions[0].text for completions in found]))
