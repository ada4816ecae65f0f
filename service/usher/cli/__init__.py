"""The `usher` command: one file per subcommand, each of which reads, calls, reports and exits.

Owns the exit codes (0 fine, 1 findings, 2 misuse) and that nobody sees a traceback. Data goes to stdout, talk to
stderr.
"""

from usher.cli.group import main

__all__ = ["main"]
