"""Figures as bytes of the format that a file's suffix names: the same figure gives the same bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from isthmus.errors import UsageError

FORMS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
"""Suffix -> what matplotlib calls the format."""
_DATES = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def figure_form(path: Path) -> str:
    """The format of a figure file.

    Raises:
        UsageError: a suffix that no figure has.

    Example:
        >>> figure_form(Path("curves.svg"))
        'svg'
    """
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"a figure is written as {', '.join(FORMS)}, but -o {path} has another suffix")
    return form


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches whose parts are kept apart, drawn without a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def figure_bytes(figure: Any, form: str, *, dots_per_inch: float = 110) -> bytes:
    """The figure as "png", "svg" or "pdf"."""
    from matplotlib import rc_context

    out = io.BytesIO()
    with rc_context({"svg.hashsalt": "isthmus"}):
        figure.savefig(out, format=form, dpi=dots_per_inch, metadata=_DATES[form])
    return out.getvalue()
