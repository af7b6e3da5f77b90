"""A plugin whose verifier needs a package that is not installed."""

from openvlt import Register, hookimpl


@hookimpl
def register_verifiers(register: Register) -> None:
    target = "openvlt_needs_extra:Oracle"
    register("oracle", target, summary="needs what is not there", requires=("a_missing_package",))
