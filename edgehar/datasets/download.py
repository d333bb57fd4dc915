"""Downloads with a known checksum, kept in the user's cache; needs pooch, which is not part of the device install."""

from __future__ import annotations

from pathlib import Path

from edgehar.errors import InputError, MissingError, Reason


def download(url: str, sha256: str, instead: str) -> Path:
    """The file at `url`, from the cache if it is there already; `instead` is how to go on without this download."""
    try:
        import pooch
    except ImportError as error:
        raise MissingError(
            "downloading needs pooch", reason=Reason.NOT_INSTALLED, hint=f"pip install pooch, or {instead}"
        ) from error
    try:
        return Path(
            pooch.retrieve(url, known_hash=f"sha256:{sha256}", path=pooch.os_cache("edgehar"), progressbar=False)
        )
    except ValueError as error:  # what pooch raises when the checksum differs; it has removed the file
        raise InputError(f"{url} is not the known file: {error}", reason=Reason.DAMAGED, hint=instead) from error
    except OSError as error:
        raise MissingError(f"{url} cannot be had: {error}", reason=Reason.DOWNLOAD, hint=instead) from error
