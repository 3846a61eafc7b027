"""Errors that a user can mend, told in one sentence."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_USER_ERROR = 2


class UserError(Exception):
    """A fault in the input or the configuration.

    The message is one sentence or two: which file, which field, what was found, what was
    expected, what to do.
    """


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn a `UserError` or a full disk into one sentence on stderr and exit status 2."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(EXIT_USER_ERROR) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = error.filename or "the results folder"
        print(
            f"error: {where}: no space is left on the disk. Nothing half-written was kept; "
            "make space and run the same command again.",
            file=sys.stderr,
        )
        raise SystemExit(EXIT_USER_ERROR) from None
