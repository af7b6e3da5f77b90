"""A good plugin: a source and a verifier, named by strings, so that nothing is imported before it is used."""

from openvlt import Register, hookimpl

OPENVLT_API = 1


@hookimpl
def register_sources(register: Register) -> None:
    register("sums", "openvlt_good.sums:Sums", summary="sums of two small numbers")


@hookimpl
def register_verifiers(register: Register) -> None:
    register("brevity", "openvlt_good.brevity:Brevity", summary="correct answers reached in few words")
