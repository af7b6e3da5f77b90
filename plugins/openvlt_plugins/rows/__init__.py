"""Questions in local tables."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_sources(register: Register) -> None:
    register(
        "rows",
        "openvlt_plugins.rows.source:Rows",
        summary="your own questions and images: JSON Lines, JSON, Parquet, CSV, ..., in the layouts of many tools",
    )
