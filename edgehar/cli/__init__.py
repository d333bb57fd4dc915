"""The command line: `app.py` and one file per command, imported only when it is called."""
