"""The straight line from a request's bytes to the answer's bytes, with every collaborator given as an argument."""
