"""The command line: a table of commands, each imported when it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openvlt.errors import OpenvltError, UsageError, closest

if TYPE_CHECKING:
    from openvlt.registry import Registry

COMMANDS = {
    "train": ("openvlt.cli.train:train", "Run the whole loop of a recipe, from data to scored model."),
    "distill": ("openvlt.cli.distill:distill", "Make the verified traces of a recipe; train nothing."),
    "bench": ("openvlt.cli.bench:bench", "Score models or files of responses on benchmarks."),
    "compare": ("openvlt.cli.compare:compare", "Compare what two models have scored, question by question."),
    "table": ("openvlt.cli.table:table", "Show what models have scored: models by benchmarks."),
    "verify": ("openvlt.cli.verify:verify", "Verify a response against a gold answer, and explain."),
    "try": ("openvlt.cli.try_component:try_component", "Run one component on a few examples."),
    "list-plugins": ("openvlt.cli.plugins:list_plugins", "List plugins with their components and status."),
    "check": ("openvlt.cli.check:check", "Check that the components of a plugin keep what they promise."),
    "describe": ("openvlt.cli.describe:describe", "Show the options of a component."),
    "install": ("openvlt.cli.install:install", "Install a plugin into this environment."),
    "uninstall": ("openvlt.cli.install:uninstall", "Remove an installed plugin."),
    "new-plugin": ("openvlt.cli.new_plugin:new_plugin", "Write the skeleton of a plugin, with a test."),
    "new-recipe": ("openvlt.cli.new_recipe:new_recipe", "Write the recipe that trains on your own questions."),
    "runs": ("openvlt.cli.runs:runs", "List runs, show or check one, free disk space."),
    "report": ("openvlt.cli.report:report", "Write an HTML page with every question of a run or result."),
    "serve-rewards": ("openvlt.cli.serve_rewards:serve_rewards", "Serve a recipe's reward over HTTP."),
    "export": ("openvlt.cli.export:export", "Export traces, questions or the model of a run."),
}


class LazyCommands(click.Group):
    """Commands of the table above; ``--help`` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            raise UsageError(f"There is no command '{cmd_name}'.", closest(cmd_name, list(COMMANDS)))
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            command: click.Command = getattr(import_module(module), name)
        except ImportError as error:
            raise OpenvltError(
                f"The command '{cmd_name}' cannot be loaded: {error}.", "Reinstall openvlt with its dependencies."
            ) from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@dataclass(frozen=True, slots=True)
class Settings:
    """The options before the command.

    Attributes:
        debug: show tracebacks.
        plugin_files: one-file plugins to load.
    """

    debug: bool = False
    plugin_files: tuple[Path, ...] = ()


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"openvlt {version('openvlt')}")
        ctx.exit()


@click.group(cls=LazyCommands)
@click.option("--plugin", "plugin_files", multiple=True, metavar="FILE.py", help="Load a one-file plugin; repeatable.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors, and log output.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
@click.pass_context
def cli(ctx: click.Context, plugin_files: tuple[str, ...], debug: bool) -> None:
    """Turn images and questions into a vision-language model that reasons, and measure whether it got better."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of libraries would be drawn over the progress
    ctx.obj = Settings(debug, tuple(map(Path, plugin_files)))
    if debug:
        import logging

        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("openvlt").setLevel(logging.DEBUG)


def settings() -> Settings:
    """The settings of the running command."""
    context = click.get_current_context(silent=True)
    found = context.find_root().obj if context else None
    return found if isinstance(found, Settings) else Settings()


def registry() -> Registry:
    """All plugins, the files named by ``--plugin`` included."""
    from openvlt.registry import Registry

    found = Registry.discover(settings().plugin_files)
    for note in found.notes:
        click.echo(f"Note: {note}", err=True)
    return found
