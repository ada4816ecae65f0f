"""What can be told of the directory without naming anybody: which load is current, how old, how large.

Owns these questions. Any thread.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select

from usher.adapters.sql.database_facts import rfc3339, size_bytes, version_of
from usher.adapters.sql.directory import SqlDirectory
from usher.adapters.sql.directory_tables import GENERATIONS, LOADING
from usher.engine import Patience

_LOADING: Final = select(GENERATIONS).where(GENERATIONS.c.state == LOADING).order_by(GENERATIONS.c.id.desc()).limit(1)


def directory_facts(directory: SqlDirectory, patience: Patience) -> Mapping[str, object]:
    """Return facts as JSON values; null where nothing was ever loaded, or no load is under way. Raises `StoreError`."""
    current = directory.newest(patience)
    with directory.database.reading(patience) as connection:
        loading = connection.execute(_LOADING).first()
        version = version_of(directory.database, connection)
        size = size_bytes(directory.database, connection)
    return {
        "place": directory.database.place,
        "schemaVersion": version,
        "generation": current.number if current else None,
        "users": current.users if current else 0,
        "loaded": rfc3339(current.loaded) if current else None,
        "source": current.source if current else None,
        "settingsAgree": current.keying.serves(directory.keying) if current else None,
        "sizeBytes": size,
        "loading": {
            "source": loading.source,
            "started": rfc3339(loading.started),
            "lastSign": rfc3339(loading.beat),
        }
        if loading
        else None,
    }
