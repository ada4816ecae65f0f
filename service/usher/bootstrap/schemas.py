"""The schemas of a folder, compiled: request, response, policy, policy test and profiles.

Owns the file names. Reads once; what it returns is immutable.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from usher.domain.place import Place, Problem
from usher.engine import load_profiles
from usher.engine.profiles import LoadedProfiles
from usher.errors import UsherError
from usher.shapes import BadSchemaError, Shape


class SchemaFolderError(UsherError):
    """A schema the service needs is missing or unusable; `problem` says which and why."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(frozen=True, slots=True)
class Schemas:
    """The compiled schemas of one folder; `profiles` carries its own problems."""

    request: Shape
    response: Shape
    policy: Shape
    policy_test: Shape
    profiles: LoadedProfiles


def load_schemas(folder: Path) -> Schemas:
    """Load a schemas folder; raises `SchemaFolderError`."""
    return Schemas(
        request=_shape(folder / "import-request.schema.json"),
        response=_shape(folder / "import-response.schema.json"),
        policy=_shape(folder / "policy.schema.json"),
        policy_test=_shape(folder / "policy-test.schema.json"),
        profiles=load_profiles(folder / "profiles"),
    )


def _shape(path: Path) -> Shape:
    shown = path.as_posix()
    try:
        return Shape(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        reason = f"the schema cannot be read: {error.strerror or type(error).__name__}; is schemas.folder right?"
        raise SchemaFolderError(Problem(Place(shown), "unreadable", reason)) from None
    except json.JSONDecodeError as error:
        raise SchemaFolderError(
            Problem(Place(shown, error.lineno, error.colno), "json-syntax", f"not JSON: {error.msg}")
        ) from None
    except (UnicodeDecodeError, RecursionError):
        raise SchemaFolderError(Problem(Place(shown), "json-syntax", "not a JSON text in UTF-8")) from None
    except BadSchemaError as error:
        raise SchemaFolderError(Problem(Place(shown), "bad-schema", str(error))) from None
