"""A plugin that fails half-way through its registration."""

from openvlt import Register, hookimpl


@hookimpl
def register_sources(register: Register) -> None:
    register("half", "openvlt_raises_while_registering:Half", summary="registered before the failure")


@hookimpl
def register_verifiers(register: Register) -> None:
    raise RuntimeError("the licence server is down")


@hookimpl
def on_run_end() -> None:
    raise AssertionError("a plugin that did not load is never called")
