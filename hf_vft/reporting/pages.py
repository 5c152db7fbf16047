"""What every page needs: the templates and inlined images.

A page is one file: styles, plots and images are inside it and nothing is fetched.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any

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


def render_page(template: str, **context: Any) -> str:
    """Fill a template of ``hf_vft/reporting/templates``; everything from outside is escaped."""
    return _environment().get_template(template).render(**context)


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
