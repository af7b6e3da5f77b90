"""A plugin with a hook that does not exist."""

from openvlt import Register, hookimpl


@hookimpl
def register_verifier(register: Register) -> None:
    register("never", "openvlt_misspelt_hook:Never", summary="never registered")
