"""Crash-safe recordings: one MCAP file per session, written live or by an import, read back and repaired.

A file without its footer (a kill, a power cut, a full disk) reads as far as it goes, with `truncated` set.
The layout is written down in docs/formats.md.
"""

from edgehar.recording.encoding import Label
from edgehar.recording.reader import Recording
from edgehar.recording.repair import repair
from edgehar.recording.writer import RecordingWriter

__all__ = ["Label", "Recording", "RecordingWriter", "repair"]
