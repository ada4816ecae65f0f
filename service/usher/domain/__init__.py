"""Values of the field: request, command, decision, place, fold. Standard library only; frozen, so for any thread."""
