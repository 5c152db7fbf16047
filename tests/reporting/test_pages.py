import base64
import io

import pytest
from jinja2 import UndefinedError
from PIL import Image

from hf_vft.reporting.pages import THUMBNAIL, image_uri, render_page, with_contents

from . import made


def decoded(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("size", [(900, 300), (300, 900), (20, 10)])
def test_an_image_is_inlined_small_with_its_proportions(size):
    image = made.made_image(0, size)
    small = decoded(image_uri(image))
    assert max(small.size) == min(THUMBNAIL, max(size))
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.05)
    assert image.size == size, "the image that was given is not changed"


def test_images_of_any_mode_are_inlined():
    for mode in ("L", "RGBA", "P", "1", "CMYK"):
        assert decoded(image_uri(made.made_image(0).convert(mode))).mode == "RGB"


def test_a_template_that_asks_for_what_is_not_there_fails():
    with pytest.raises(UndefinedError):
        render_page("report.html", name="run")


def test_the_contents_follow_the_first_section() -> None:
    page = (
        '<section id="verdict"><p>Good.</p></section>\n'
        '<section id="scores">\n  <h2>Scores</h2></section>'
        '<section id="more" aria-label="x"><h2>More &amp; more</h2></section>'
    )
    found = with_contents(page)
    assert found.index('<nav class="contents"') > found.index("Good.")
    assert found.index("</nav>") < found.index('<section id="scores">')
    assert '<a href="#more">More &amp; more</a>' in found
    assert "#verdict" not in found
    assert with_contents("<p>no section</p>") == "<p>no section</p>"
