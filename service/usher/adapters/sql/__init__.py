"""Ledger and directory in SQL databases: SQLite by default, PostgreSQL for several instances; one code for both."""
