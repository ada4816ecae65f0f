"""The only place that builds things and wires them together; every other room gets its collaborators as arguments."""
