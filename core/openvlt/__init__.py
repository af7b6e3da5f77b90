"""openvlt: turns images and questions into a vision-language model that reasons, and measures whether it got better.

Everything a plugin needs is a name of this package; each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openvlt.balance import (
        shares as shares,
    )
    from openvlt.errors import (
        DataError as DataError,
    )
    from openvlt.errors import (
        OpenvltError as OpenvltError,
    )
    from openvlt.errors import (
        PluginError as PluginError,
    )
    from openvlt.errors import (
        Reject as Reject,
    )
    from openvlt.errors import (
        RemoteError as RemoteError,
    )
    from openvlt.errors import (
        UsageError as UsageError,
    )
    from openvlt.extraction import (
        extract as extract,
    )
    from openvlt.extraction import (
        parse as parse,
    )
    from openvlt.hookspecs import (
        Register as Register,
    )
    from openvlt.hookspecs import (
        hookimpl as hookimpl,
    )
    from openvlt.interfaces import (
        AnswerVerifier as AnswerVerifier,
    )
    from openvlt.interfaces import (
        Backend as Backend,
    )
    from openvlt.interfaces import (
        Benchmark as Benchmark,
    )
    from openvlt.interfaces import (
        Captioner as Captioner,
    )
    from openvlt.interfaces import (
        Chat as Chat,
    )
    from openvlt.interfaces import (
        Checkpoint as Checkpoint,
    )
    from openvlt.interfaces import (
        Drop as Drop,
    )
    from openvlt.interfaces import (
        Engine as Engine,
    )
    from openvlt.interfaces import (
        ExampleFilter as ExampleFilter,
    )
    from openvlt.interfaces import (
        ImageReader as ImageReader,
    )
    from openvlt.interfaces import (
        Keep as Keep,
    )
    from openvlt.interfaces import (
        Option as Option,
    )
    from openvlt.interfaces import (
        Request as Request,
    )
    from openvlt.interfaces import (
        Source as Source,
    )
    from openvlt.interfaces import (
        Teacher as Teacher,
    )
    from openvlt.interfaces import (
        TraceFilter as TraceFilter,
    )
    from openvlt.interfaces import (
        Trainer as Trainer,
    )
    from openvlt.interfaces import (
        TrainJob as TrainJob,
    )
    from openvlt.interfaces import (
        Verifier as Verifier,
    )
    from openvlt.records import (
        AnswerType as AnswerType,
    )
    from openvlt.records import (
        Claim as Claim,
    )
    from openvlt.records import (
        Completion as Completion,
    )
    from openvlt.records import (
        Example as Example,
    )
    from openvlt.records import (
        Format as Format,
    )
    from openvlt.records import (
        Image as Image,
    )
    from openvlt.records import (
        Judged as Judged,
    )
    from openvlt.records import (
        Message as Message,
    )
    from openvlt.records import (
        Model as Model,
    )
    from openvlt.records import (
        Rejected as Rejected,
    )
    from openvlt.records import (
        Sampling as Sampling,
    )
    from openvlt.records import (
        Trace as Trace,
    )
    from openvlt.records import (
        Verdict as Verdict,
    )
    from openvlt.tables import (
        TableRow as TableRow,
    )
    from openvlt.tables import (
        find_file as find_file,
    )
    from openvlt.tables import (
        read_rows as read_rows,
    )

PLUGIN_API = 1

_HOMES = {
    "openvlt.balance": ("shares",),
    "openvlt.errors": ("DataError", "OpenvltError", "PluginError", "Reject", "RemoteError", "UsageError"),
    "openvlt.extraction": ("extract", "parse"),
    "openvlt.hookspecs": ("Register", "hookimpl"),
    "openvlt.interfaces": (
        "AnswerVerifier", "Backend", "Benchmark", "Captioner", "Chat", "Checkpoint", "Drop", "Engine",
        "ExampleFilter", "ImageReader", "Keep", "Option", "Request", "Source", "Teacher", "TraceFilter", "Trainer",
        "TrainJob", "Verifier",
    ),
    "openvlt.records": (
        "AnswerType", "Claim", "Completion", "Example", "Format", "Image", "Judged", "Message", "Model", "Rejected",
        "Sampling", "Trace", "Verdict",
    ),
    "openvlt.tables": ("TableRow", "find_file", "read_rows"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME_OF, "PLUGIN_API"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'openvlt' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
