"""MathVista (Lu et al., ICLR 2024, arXiv 2310.02255): 6,141 questions from 31 datasets, and its official scoring."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "mathvista",
        "openvlt_tasks:bench/mathvista.yaml",
        summary="visual mathematics from 31 datasets: testmini 1,000; test 5,141 writes a submission file",
    )


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "mathvista-official",
        "openvlt_plugins.mathvista.official:MathVistaOfficial",
        summary="MathVista's published normalisation and string equality, unchanged",
    )
