"""Tables as files for papers and spreadsheets: CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Literal, TypeAlias

from openvlt.report.card import markdown_table
from openvlt.report.table import Table
from openvlt.terminal import escape

TableFormat: TypeAlias = Literal["csv", "markdown", "latex"]

_LATEX = str.maketrans(
    {**{each: f"\\{each}" for each in "&%$#_{}"}, "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
     "\\": r"\textbackslash{}"}
)  # fmt: skip


def formatted(table: Table, format: TableFormat) -> str:
    """The table in a format, every cell escaped for it.

    Args:
        table: columns beyond its `labels` are figures, which LaTeX aligns right.
        format: LaTeX needs the package booktabs.
    """
    if format == "csv":
        file = StringIO()
        csv.writer(file, lineterminator="\n").writerows([table.columns, *table.rows])
        return file.getvalue().rstrip("\n")
    if format == "markdown":
        return markdown_table(table.columns, table.rows)
    labels = table.labels or 0
    lines = [
        " & ".join(escape(cell).translate(_LATEX) for cell in row) + r" \\" for row in (table.columns, *table.rows)
    ]
    columns = "l" * labels + "r" * (len(table.columns) - labels)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
