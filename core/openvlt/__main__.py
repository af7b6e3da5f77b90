"""The command ``openvlt``, also ``python -m openvlt``: turns errors into sentences and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from openvlt.cli import cli
from openvlt.errors import OpenvltError

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit: 0 done, 1 unexpected, 2 usage, 3 plugin, 4 data, 5 remote, 130 interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program's name; ``--debug`` may be anywhere in it.

    Returns:
        The exit code; an error is printed on stderr, with ``--debug`` as a traceback.
    """
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in options
    arguments = ["--debug"] * debug + [word for word in options if word != "--debug"] + list(arguments[len(options) :])
    try:
        result = cli.main(arguments, prog_name="openvlt", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; without this the interpreter reports an error when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the boundary: the user gets a sentence for any error
        user_error = _user_error(error)
        if debug:
            traceback.print_exc()
        else:
            click.echo(f"Error: {user_error}", err=True)
        return user_error.exit_code


def _user_error(error: Exception) -> OpenvltError:
    """Any error as one with a remedy; for an optional package that is not installed, the command that installs it."""
    if isinstance(error, OpenvltError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name:
        from openvlt.registry.targets import require

        try:
            require(error.name.partition(".")[0])
        except OpenvltError as missing:
            return missing
    problem = f"unexpected {type(error).__name__}: {error}."
    return OpenvltError(problem, "Run again with --debug to see where it comes from.")


if __name__ == "__main__":
    main()
