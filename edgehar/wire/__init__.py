"""Bytes to frames, sans-IO: decoders are pushed bytes as they come and hand out frames; they never read or wait."""
