"""One of two plugins whose verifiers have the same name."""

from dataclasses import dataclass

from openvlt import Claim, Register, Verdict, Verifier, hookimpl


@dataclass(frozen=True)
class Twin(Verifier):
    """Tells which of the two it is."""

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.scored(0.5, "a")


@hookimpl
def register_verifiers(register: Register) -> None:
    register("twin", Twin, summary="twin a")
