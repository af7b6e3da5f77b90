"""Command lines of every command, with names and paths of every kind."""

from __future__ import annotations

from pathlib import Path

import click
from entrance import command, fuzzed
from hypothesis import strategies as st
from odd import TEXTS

from openvlt.cli import COMMANDS, cli

LEFT_OUT = ("install", "uninstall")
"""Commands that change this environment."""
PLANNED = ("train", "distill")
"""Commands that without a recipe carry out the quickstart, which is no small work."""
WORDS = st.sampled_from([*TEXTS, "sums", "made", "answer", "sums/sft-1", "1", "-1", "--", "-", "nowhere.yaml", "a=b"])


def _options(found: click.Command) -> list[str]:
    return [name for parameter in found.params if isinstance(parameter, click.Option) for name in parameter.opts]


def _lines(names: list[str], found: click.Command) -> st.SearchStrategy[list[str]]:
    """Command lines of a command: its options and odd words, in any order."""
    words = st.lists(WORDS | st.sampled_from([*_options(found), "--help"]), max_size=5)
    return words.map(lambda some: [*names, *some])


def _all() -> st.SearchStrategy[list[str]]:
    context = click.Context(cli)
    lines = []
    for name in COMMANDS:
        found = cli.get_command(context, name)
        assert found is not None
        if name in LEFT_OUT:
            continue
        lines.append(_lines([name, *(["--plan", "RECIPE"] if name in PLANNED else [])], found))
        if isinstance(found, click.Group):
            lines += [_lines([name, below], each) for below, each in found.commands.items()]
    return st.one_of(lines) | st.lists(WORDS, max_size=3)


@fuzzed(120, arguments=_all())
def test_a_command_line(arguments: list[str], home: Path, finished: Path, fake: tuple[str, ...]) -> None:
    recipe = str(finished / "sums.yaml")
    command("command line", *fake, *(recipe if each == "RECIPE" else each for each in arguments))
