"""The templates of the pages. Whatever is put into one is escaped, and freed of characters that nobody sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gatewright.web import words

if TYPE_CHECKING:
    from jinja2 import Template


def template(name: str, **filters: Callable[..., str]) -> Template:
    """The template of this name, with the filters that it uses; a variable that is not given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("gatewright.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: words.clean(value) if type(value) is str else value,
    )
    environment.filters.update(filters)
    return environment.get_template(name)
