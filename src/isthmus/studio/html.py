"""HTML without a template language: elements whose text and attributes are escaped, and pages with places to fill."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from string import Template

PAGES = Path(__file__).parent / "pages"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | int | bool | None) -> Markup:
    """An element; children and values are escaped where they are not markup.

    Args:
        tag: its name.
        children: text, or markup.
        attributes: `class_` is class, `aria_label` is aria-label; true has no value, false and None leave it out.

    Example:
        >>> element("option", "<b>", value="a&b", selected=True)
        '<option value="a&amp;b" selected>&lt;b&gt;</option>'
    """
    shown = []
    for name, value in attributes.items():
        label = name.rstrip("_").replace("_", "-")
        if value is True:
            shown.append(f" {label}")
        elif value is not False and value is not None:
            shown.append(f' {label}="{escape(str(value))}"')
    return Markup(f"<{tag}{''.join(shown)}>{joined(children)}</{tag}>")


def joined(children: Iterable[str]) -> Markup:
    """Markup of several pieces, one behind the other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def options(pairs: Iterable[tuple[str, str]], *, chosen: str | None = None) -> Markup:
    """The options of a select, each a value and what people read."""
    return joined(element("option", label, value=value, selected=value == chosen) for value, label in pairs)


def fill(page: str, **places: str) -> Markup:
    """A page's file with its $places filled; what is not markup is escaped.

    Raises:
        KeyError: a place that nothing was given for.
    """
    return Markup(_template(page).substitute({name: joined([value]) for name, value in places.items()}))


@cache
def _template(page: str) -> Template:
    return Template((PAGES / f"{page}.html").read_text("utf-8"))
