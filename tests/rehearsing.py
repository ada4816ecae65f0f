"""The line of every door but `serve`, over the schemas of the checkout."""

import time

from usher.answer.line import AnswerLine, AnswerOptions
from usher.bootstrap.evaluation import EVALUATION_SECONDS
from usher.bootstrap.schemas import Schemas
from usher.cel import DEFAULT_LIMITS, Limits
from usher.engine import PolicySet, Stores
from usher.proof.rehearsal import Kept, OnFault, Rehearsal


def line_over(
    policies: PolicySet,
    schemas: Schemas,
    kept: Kept,
    on_fault: OnFault,
    *,
    stores: Stores,
    limits: Limits = DEFAULT_LIMITS,
) -> AnswerLine:
    """Return a line that leaves its records in `kept`."""
    options = AnswerOptions(EVALUATION_SECONDS, limits=limits)
    return Rehearsal(schemas.request, schemas.response, stores, options, time.time_ns, on_fault).line(policies, kept)
