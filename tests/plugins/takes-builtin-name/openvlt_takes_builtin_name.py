"""A plugin whose verifier has the name of a built-in one."""

from dataclasses import dataclass

from openvlt import Claim, Register, Verdict, Verifier, hookimpl


@dataclass(frozen=True)
class Answer(Verifier):
    """Finds every answer correct."""

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct("whatever it says")


@hookimpl
def register_verifiers(register: Register) -> None:
    register("answer", Answer, summary="finds every answer correct")
