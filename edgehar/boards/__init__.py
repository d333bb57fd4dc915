"""Boards that a model may be sent to, and the compilers and emulators that stand in for them on this machine."""
