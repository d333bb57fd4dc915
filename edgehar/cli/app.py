"""`edgehar COMMAND`: imports only the command that was typed, and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgehar import __version__
from edgehar.cli.plain import plain_run
from edgehar.errors import EdgeHarError, MissingError, UsageError

if TYPE_CHECKING:
    import typer

COMMANDS: dict[str, str] = {
    "import": "edgehar.cli.import_:import_",
    "data": "edgehar.cli.data:data",
    "record": "edgehar.cli.record:record",
    "replay": "edgehar.cli.replay:replay",
    "align": "edgehar.cli.align:align",
    "train": "edgehar.cli.train:train",
    "evaluate": "edgehar.cli.evaluate:evaluate",
    "compress": "edgehar.cli.compress:compress",
    "run": "edgehar.cli.run:run",
    "warmup": "edgehar.cli.warmup:warmup",
    "demo": "edgehar.cli.demo:demo",
    "inspect": "edgehar.cli.inspect_:inspect",
    "export": "edgehar.cli.export:export",
    "verify": "edgehar.cli.verify:verify",
    "bench": "edgehar.cli.bench:bench",
    "boards": "edgehar.cli.boards:boards",
    "firmware": "edgehar.cli.firmware:firmware",
    "flash": "edgehar.cli.flash:flash",
    "doctor": "edgehar.cli.doctor:doctor",
    "command": "edgehar.cli.command:command",
    "calibrate": "edgehar.cli.calibrate:calibrate",
    "virtual": "edgehar.cli.virtual:virtual",
    "repair": "edgehar.cli.repair:repair",
}

SHORT: dict[str, str] = {
    "import": "Turn other recordings into a dataset.",
    "data": "Show what is in a dataset.",
    "record": "Record sensors, crash-safe.",
    "replay": "Play a recording.",
    "align": "See how streams share a time line.",
    "train": "Train on some people, test on others.",
    "evaluate": "Judge a bundle by the pipeline it ships.",
    "compress": "Prune, factorise and quantise a bundle.",
    "run": "Recognise activities live.",
    "warmup": "Compile once what models need here.",
    "demo": "Watch a model recognise a real person.",
    "inspect": "Show what a bundle wants and is worth.",
    "export": "Write TFLite, ONNX and C for a board.",
    "verify": "Prove that every target computes alike.",
    "bench": "Measure latency, memory, energy, streams.",
    "boards": "List boards and what fits on them.",
    "firmware": "Build a board's firmware.",
    "flash": "Put firmware and settings on a board.",
    "doctor": "Find what is wrong with a board or sensor.",
    "command": "Send a board one command.",
    "calibrate": "Calibrate a motion sensor.",
    "virtual": "Simulate a board or sensor.",
    "repair": "Save a cut-off or damaged recording.",
}
"""A command's line in `edgehar --help`, short enough to be printed whole."""


def build(argv: Sequence[str]) -> typer.Typer:
    """The Typer app holding the one command named in `argv`, or all of them for help and completion."""
    import typer

    app = typer.Typer(
        name="edgehar",
        help="Human activity recognition from a sensor to a live decision on a small board.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(invoke_without_command=True)
    def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
        if version:
            typer.echo(f"edgehar {__version__}")
            raise typer.Exit

    wanted = next((word for word in argv if not word.startswith("-")), "")
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        module, _, function = COMMANDS[name].partition(":")
        app.command(name, short_help=SHORT[name])(getattr(importlib.import_module(module), function))
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (the list is in `edgehar.errors`)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        plain = plain_run(arguments)
        if plain is None:
            return _parsed(arguments)
        from edgehar.cli.running import run_bundle

        return run_bundle(**plain)
    except EdgeHarError as error:
        return _refused(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away; point stdout elsewhere so that interpreter shutdown stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"edgehar: {': '.join(_told(error))}", file=sys.stderr)
        print("  next: check the path, its permissions and the space on the disk", file=sys.stderr)
        return MissingError.exit_code
    except MemoryError as error:
        print(f"edgehar: not enough memory: {error}", file=sys.stderr)
        print("  next: ask for less at once: fewer streams, a shorter window, a lower rate", file=sys.stderr)
        return MissingError.exit_code
    except ModuleNotFoundError as error:
        from edgehar.cli.extras import missing_package

        missing = missing_package(error)
        if missing is None:
            raise
        return _refused(missing)


def _refused(error: EdgeHarError) -> int:
    """Say what is wrong and what to do about it; the exit code."""
    print(f"edgehar: {error}", file=sys.stderr)
    if error.hint:
        print(f"  next: {error.hint}", file=sys.stderr)
    return error.exit_code


def _told(error: OSError) -> list[str]:
    """The file, if one is to blame, and the system's words, without Python's brackets and numbers."""
    return [str(part) for part in (error.filename, error.strerror or error) if part]


def _parsed(arguments: list[str]) -> int:
    """Whatever Typer understands, and its messages where it does not."""
    import typer

    # The parent of BadParameter, MissingParameter and the like: typer brings click along or imports it, by version.
    usage_error: Any = typer.BadParameter.__mro__[1]
    try:
        result = build(arguments)(args=arguments, prog_name="edgehar", standalone_mode=False)
    except usage_error as error:
        error.show()
        return UsageError.exit_code
    except typer.Abort:
        return 130
    return result if isinstance(result, int) else 0


def entry() -> None:
    """Console script."""
    sys.exit(main())
