"""JSON Schema 2020-12, compiled once: does a value fit, and if not, where and why, never quoting values.

Knows nothing of Okta. `Shape` is immutable after compilation and serves all threads.
"""

from usher.shapes.faults import Fault
from usher.shapes.shape import BadSchemaError, Shape

__all__ = ["BadSchemaError", "Fault", "Shape"]
