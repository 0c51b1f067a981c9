"""The frame around every page: title, the way to the others, one style sheet, one module of its own."""

from __future__ import annotations

from starlette.responses import HTMLResponse

from isthmus.studio.html import Markup, element, fill, joined

PAGES = (
    ("compress", "/", "Compress"),
    ("train", "/train", "Train"),
    ("code", "/code", "Touch the code"),
    ("packs", "/packs", "Packs"),
    ("models", "/models", "Models"),
)
"""Name, address and label of each, in the order of the bar."""


def page(name: str, **places: str) -> HTMLResponse:
    """A page of `PAGES` in its frame; `places` fill the page's own file."""
    label = next(label for each, _, label in PAGES if each == name)
    links = joined(
        element("a", text, href=address, aria_current="page" if each == name else None) for each, address, text in PAGES
    )
    return HTMLResponse(fill("frame", title=label, links=links, name=name, main=_main(name, places)))


def _main(name: str, places: dict[str, str]) -> Markup:
    return fill(name, **places)
