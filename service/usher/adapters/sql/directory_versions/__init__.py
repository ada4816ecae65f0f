"""The directory's schema, one Alembic revision per module; the newest is what this version reads and writes."""
