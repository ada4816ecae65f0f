"""Where the data that came with Usher lies: policies and schemas, mapped into the package. Pure functions."""

from importlib import resources
from pathlib import Path


def shipped_policies() -> Path:
    """Return the folder of the policies that came with Usher."""
    return _folder("usher.policies")


def shipped_schemas() -> Path:
    """Return the folder of the JSON Schemas that came with Usher."""
    return _folder("usher.schemas")


def _folder(package: str) -> Path:
    # Installers unpack wheels, so a package's data always is a real folder.
    return Path(str(resources.files(package)))
