"""Going on in the Python that has allensdk, which cannot live in the environment of the rest."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from glassbox.errors import UserError

# Built by `make env-allensdk` beside the workflow; a rule under --sdm conda is in its own already.
ENVIRONMENT = Path(__file__).resolve().parents[3] / ".venv-allensdk"


def go_on_with_allensdk(arguments: list[str]) -> None:
    """Return where this Python has allensdk; else start the script again in the one that has it.

    Args:
        arguments: of the script.

    Raises:
        UserError: there is no such Python.
    """
    try:
        import allensdk  # noqa: F401
    except ImportError:
        pass
    else:
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")  # allensdk needs it
        return
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists() or Path(sys.prefix) == ENVIRONMENT:
        raise UserError(
            "allensdk is not in this environment, and it cannot live with the rest; build its own "
            "once with `make env-allensdk`, or run with --sdm conda."
        )
    sys.stdout.flush()
    os.execv(python, [str(python), sys.argv[0], *arguments])
