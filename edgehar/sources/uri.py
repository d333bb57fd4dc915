"""Source addresses: `[NAME=]SCHEME:LOCATOR[?key=value&...]`, the same string in run, record and doctor."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from edgehar.errors import Reason, UsageError
from edgehar.sources.address import Address, split_query

NAMED = re.compile(r"([A-Za-z_][\w-]*)=(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUri(Address):
    """A parsed address.

    >>> uri = SourceUri.parse("wrist=virtual:imu?seed=1&loss=0.1")
    >>> uri.name, uri.scheme, uri.locator, uri.number("loss", 0.0)
    ('wrist', 'virtual', 'imu', 0.1)
    """

    name: str
    scheme: str

    @classmethod
    def parse(cls, text: str) -> SourceUri:
        """Split at the first colon; what stands before an equals sign in front of it is the stream's name."""
        head, colon, tail = text.partition(":")
        if not colon or not head:
            raise UsageError(
                f"source '{text}' has no scheme",
                reason=Reason.FORMAT,
                hint="write SCHEME:LOCATOR, for example replay:walk.mcap or virtual:imu?seed=1",
            )
        named = NAMED.fullmatch(head)
        name, scheme = (named[1], named[2]) if named else ("", head)
        locator, query = split_query(tail, cls.of, text)
        return cls(text=text, name=name, scheme=scheme, locator=locator, query=query)

    def having(self, **query: str) -> SourceUri:
        """The same address with keys added or replaced."""
        return replace(self, query={**self.query, **query})


def typed(scheme: str, locator: str) -> str:
    """The address that `SourceUri.parse` reads as these two.

    >>> typed("csi", "rfc2217://attic:4000?ign_set_control")
    'csi:rfc2217://attic:4000%3Fign_set_control'
    """
    return f"{scheme}:{quote(locator, safe='/:')}"
