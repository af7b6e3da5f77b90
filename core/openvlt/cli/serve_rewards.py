"""``openvlt serve-rewards``: the reward of a recipe over HTTP."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click

from openvlt.cli import registry
from openvlt.cli.preparation import endpoint_options
from openvlt.errors import UsageError, closest


@click.command("serve-rewards")
@click.argument("recipe")
@click.option("--phase", metavar="NAME", help="Serve the rewards of this phase, where it has its own.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set any key of the recipe; repeatable.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8700, show_default=True, help="0 for any free port.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one for each CPU]")
@endpoint_options
def serve_rewards(
    recipe: str, phase: str | None, settings: tuple[str, ...], host: str, port: int, workers: int | None
) -> None:
    """Serve the reward of RECIPE, a name or a YAML file, to trainers that run elsewhere, until SIGTERM or Ctrl-C.

    'openvlt export --rewards URL' writes the file reward.py that asks it. Whoever reaches the address may ask.
    """
    from openvlt.integrations.reward_server import RewardServer
    from openvlt.system import cpus

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with RewardServer(_spec(recipe, phase, settings), host, port, workers or cpus()) as server:
        click.echo(f"Serving {', '.join(server.verifiers)} at {server.url}")
        while not ended.wait(0.2):
            server.watch()


def _spec(name: str, phase: str | None, settings: tuple[str, ...]) -> dict[str, Any]:
    """The reward that a training would maximise; mistakes in it are reported with their positions."""
    from openvlt.pipeline.building import Builder
    from openvlt.recipe import read_recipe

    found, plugins = read_recipe(name, settings=settings), registry()
    weights, routes, key = found.rewards, found.routes, "rewards"
    if phase is not None:
        phases = {
            each: (block, f"iterations.{index}.train.{each}.rewards")
            for index, iteration in enumerate(found.iterations)
            for each, block in iteration.train.items()
        }
        if phase not in phases:
            raise UsageError(f"The recipe {found.name} has no phase '{phase}'.", closest(phase, list(phases)))
        block, own = phases[phase]
        if block.rewards is not None:
            weights, routes, key = block.rewards, {}, own
    if not weights and not routes:
        raise UsageError(f"The recipe {found.name} has no rewards.", "Add the key rewards to it.")
    specs = found.verifier_specs() | {each: {"use": each} for each in weights if each not in found.verifiers}
    builder = Builder(found, plugins)
    builder.weights(weights, routes, builder.verifiers(specs, key), key)
    chosen = found.model_copy(update={"rewards": weights, "routes": routes}).model_dump(mode="json")
    keys = ("rewards", "routes", "verifiers", "format")
    return {**{each: chosen[each] for each in keys}, "plugins": [str(file) for file in plugins.files]}
