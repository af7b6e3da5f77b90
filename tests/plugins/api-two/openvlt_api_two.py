"""A plugin written for a later plugin API."""

from openvlt import hookimpl

OPENVLT_API = 2


@hookimpl
def register_verifiers(register, budget):  # type: ignore[no-untyped-def]
    register("later", "openvlt_api_two:Later", summary="registered with arguments of a later API", budget=budget)
