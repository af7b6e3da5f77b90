"""Benchmarks that are one YAML file each, in ``openvlt_tasks/bench``, and need no code."""

from __future__ import annotations

from openvlt import Register, hookimpl

BENCHMARKS = {
    "ai2d": "questions on diagrams of school science",
    "blink": "14 tasks of visual perception, with one to four images",
    "chartqa": "questions on charts; numbers may be off by 5 %",
    "charxiv": "reasoning questions on charts of arXiv papers",
    "dynamath": "ten variants of each of 501 problems: accuracy and worst case",
    "logicvista": "logical reasoning on puzzles and diagrams",
    "mmmu-val": "validation questions of MMMU, 30 subjects of college level",
    "mmstar": "six abilities, by questions that need the image",
    "olympiadbench": "olympiad problems of mathematics and physics with images, in English",
    "realworldqa": "photographs, most from vehicles",
    "visulogic": "visual puzzles of six kinds",
    "wemath": "problems and their steps: mastered, not generalised, learnt by rote",
    "zerobench": "100 questions that models could not answer",
}


@hookimpl
def register_benchmarks(register: Register) -> None:
    for name, summary in BENCHMARKS.items():
        register(name, f"openvlt_tasks:bench/{name}.yaml", summary=summary)
