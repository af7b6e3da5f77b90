"""The command ``openvlt``, also ``python -m openvlt``: turns errors into sentences and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from openvlt.cli import cli
from openvlt.errors import DataError, OpenvltError, UsageError
from openvlt.keys import mask_keys
from openvlt.terminal import escaped

INTERRUPTED = 128
"""Added to the number of the signal that interrupted a command: 130 is Ctrl-C, 143 SIGTERM, 129 SIGHUP."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_received = [signal.SIGINT]
_leave, _process = os._exit, os.getpid()


def main() -> None:
    """Run the command line and exit: 0 done, 1 unexpected, 2 usage, 3 plugin, 4 data, 5 remote, 128 + signal.

    Nothing else ends the process with success: what calls `sys.exit` or `os._exit` in it has failed.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` and background jobs of scripts ask for
            signal.signal(number, _interrupt)
    os._exit, threading.excepthook = _exit, _in_thread
    sys.exit(run(sys.argv[1:]))


def _exit(status: int) -> NoReturn:
    """Stands for `os._exit`, which no boundary to a component could catch; a child that was forked does end."""
    if os.getpid() != _process:
        _leave(status)
    raise SystemExit(status)


def _in_thread(raised: threading.ExceptHookArgs) -> None:
    """End the process where `_exit` was called in a thread of its own, which `SystemExit` alone would end."""
    trace = raised.exc_traceback
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace and trace.tb_frame.f_code is _exit.__code__ and isinstance(raised.exc_value, SystemExit):
        _leave(int(raised.exc_value.code or 1))
    threading.__excepthook__(raised)


def _interrupt(number: int, _: object) -> None:
    """End the command as Ctrl-C does; what ends it cleanly (records, child processes) is not interrupted again."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    _received.append(signal.Signals(number))
    raise KeyboardInterrupt


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program's name; ``--debug`` may be anywhere in it.

    Returns:
        The exit code; an error is printed on stderr, with ``--debug`` as a traceback.
    """
    with escaped():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in options
    arguments = ["--debug"] * debug + [word for word in options if word != "--debug"] + list(arguments[len(options) :])
    try:
        _check_text(arguments)
        result = cli.main(arguments, prog_name="openvlt", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        with suppress(OSError):  # the terminal may be what has gone
            click.echo("Interrupted.", err=True)
        return INTERRUPTED + _received[-1]
    except BrokenPipeError:
        # The reader has gone; without this the interpreter reports an error when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary: the user gets a sentence for any error
        user_error = _user_error(error)
        if debug:
            click.echo(mask_keys(traceback.format_exc()), err=True)
        else:
            click.echo(mask_keys(f"Error: {user_error}"), err=True)
        return user_error.exit_code


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse what can be neither a file's name nor text: no later check needs to think of it."""
    for argument in arguments:
        if "\0" in argument or any("\ud800" <= character <= "\udfff" for character in argument):
            raise UsageError(
                f"The argument '{argument[:200]}' is not UTF-8 text.", "Rename the file, or type it again."
            )


def _user_error(error: BaseException) -> OpenvltError:
    """Any error as one with a remedy; for an optional package that is not installed, the command that installs it."""
    if isinstance(error, OpenvltError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name:
        from openvlt.registry.targets import require

        try:
            require(error.name.partition(".")[0])
        except OpenvltError as missing:
            return missing
    if isinstance(error, OSError) and error.strerror:
        of = f"'{error.filename}': " if error.filename else ""
        return DataError(f"{of}{error.strerror}.", "Check the path, its permissions and the space on its disk.")
    if isinstance(error, MemoryError):
        return DataError("The memory of this machine is used up.", "End other programs, or process less at once.")
    from openvlt.registry.guard import blamed

    if found := blamed(error):  # in a method that a plan calls, say
        return found
    problem = f"unexpected {type(error).__name__}: {error}."
    return OpenvltError(problem, "Run again with --debug to see where it comes from.")


if __name__ == "__main__":
    main()
