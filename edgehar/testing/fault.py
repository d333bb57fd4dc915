"""What a `check_*` function raises when an implementation breaks a clause of its protocol."""

from __future__ import annotations

from edgehar.errors import EdgeHarError, Reason


class ProtocolFaultError(EdgeHarError):
    """An implementation does not keep its protocol; the message says which clause."""


def demand(holds: bool, clause: str, see: str) -> None:
    """Raise ProtocolFaultError with `clause` unless it holds; `see` is the file that states the protocol."""
    if not holds:
        raise ProtocolFaultError(f"broken: {clause}", reason=Reason.CONTRACT, hint=f"see {see}")
