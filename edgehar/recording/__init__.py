"""Crash-safe recordings: one MCAP file per session, written live or by an import, read back and repaired.

A file without its footer (a kill, a power cut, a full disk) reads as far as it goes, with `truncated` set.
The layout is written down in docs/formats.md.
"""

from typing import TYPE_CHECKING, Any

from edgehar.recording.encoding import Label
from edgehar.recording.reader import Recording
from edgehar.recording.repair import repair

if TYPE_CHECKING:
    from edgehar.recording.writer import RecordingWriter

__all__ = ["Label", "Recording", "RecordingWriter", "repair"]


def __getattr__(name: str) -> Any:
    # A replay starts without mcap's writer, which takes as long to import as the bundle to open.
    if name == "RecordingWriter":
        from edgehar.recording.writer import RecordingWriter

        return RecordingWriter
    raise AttributeError(f"module 'edgehar.recording' has no attribute '{name}'")
