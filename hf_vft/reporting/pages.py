"""What every page needs: the templates and inlined images.

A page is one file: styles, plots and images are inside it and nothing is fetched.
"""

from __future__ import annotations

import base64
import io
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from hf_vft.reporting.numbers import (
    breakable,
    coded,
    duration,
    moment,
    percent,
    score,
    sentence,
    shown,
)

THUMBNAIL = 160

_SECTION = re.compile(r'<section id="([^"]+)"[^>]*>\s*<h2>(.*?)</h2>', re.DOTALL)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hf_vft.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (score, percent, duration, moment, shown, sentence, breakable, coded):
        environment.filters[write.__name__] = write
    return environment


def render_page(template: str, **context: object) -> str:
    """Fill a template of ``hf_vft/reporting/templates``; everything from outside is escaped."""
    return _environment().get_template(template).render(**context)


def with_contents(page: str) -> str:
    """A page with a list of its sections below the verdict, which is its first section.

    Args:
        page: HTML of `render_page`; a section is listed by its ``id`` and its ``h2``.
    """
    links = "".join(
        f'<li><a href="#{name}">{title}</a></li>' for name, title in _SECTION.findall(page)
    )
    contents = f'<nav class="contents" aria-label="Contents"><ul>{links}</ul></nav>'
    head, end, rest = page.partition("</section>")
    return f"{head}{end}\n{contents}{rest}" if links and end else page


def image_uri(image: Image.Image, side: int = THUMBNAIL) -> str:
    """An image as a ``data:`` address, so that the page needs no other file.

    Args:
        image: Of any size; it is not changed.
        side: Longest side of the thumbnail in pixels.
    """
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
