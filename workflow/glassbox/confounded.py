"""What is said beside every number of genotype that may be one of sessions."""

from __future__ import annotations

CONFOUNDED = (
    "the queries of POYO+ hold the session's embedding: genotype read there is confounded with the "
    "session"
)
