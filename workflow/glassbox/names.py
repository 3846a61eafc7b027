"""How ids and Cre lines become file names."""

from __future__ import annotations

import hashlib
import re


def file_name(text: str) -> str:
    """A name that is safe in a path, a shell and a Snakemake wildcard.

    Letters, digits, '.', '_' and '-' stay; every other run becomes '-'. Where that changed
    anything, or the name would start with a dot or a hyphen, six digits of the SHA-256 of the
    original follow, so that two different ids never share a file.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip(".-")[:80]
    if plain == text and plain:
        return plain
    return f"{plain or 'unnamed'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def cre_line_of(genotype: str) -> str:
    """The Cre line of an Allen genotype: what stands before the first ';', then before '/'."""
    return genotype.split(";")[0].split("/")[0].strip()
