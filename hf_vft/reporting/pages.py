"""What every page needs: the templates, the way numbers are written, inlined pictures.

A page is one file: styles, plots and pictures are inside it and nothing is fetched.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

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
    environment.filters["score"] = score
    environment.filters["duration"] = duration
    environment.filters["shown"] = shown
    return environment


def render_page(template: str, **context: Any) -> str:
    """Fill a template of ``hf_vft/reporting/templates``; everything from outside is escaped."""
    return _environment().get_template(template).render(**context)


def picture_uri(image: Image.Image, side: int = THUMBNAIL) -> str:
    """A picture as a ``data:`` address, so that the page needs no other file.

    Args:
        image: Of any size; it is not changed.
        side: Longest side of the thumbnail in pixels.
    """
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def score(value: float | None) -> str:
    """Two decimals, three where two would claim perfection; undefined is a dash, never a zero."""
    if value is None:
        return "–"
    return f"{value:.3f}" if 0.995 <= value < 0.9995 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """``75`` as ``1 min 15 s``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def shown(value: Any) -> str:
    """A recipe's value as people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    return str(value)
