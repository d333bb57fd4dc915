"""`python -m edgehar`."""

from edgehar.cli.app import entry

entry()
