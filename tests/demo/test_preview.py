"""What a link to the page looks like where it is shared."""

from __future__ import annotations

import io

from PIL import Image
from starlette.requests import Request

from leukovision.demo import preview
from leukovision.i18n import LANGUAGES


def asked(query: str = "", **headers: str) -> str:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "server": ("a", 80),
        "path": "/",
        "query_string": query.encode(),
        "headers": raw,
    }
    return str(preview.tags(Request(scope)))


def test_tags_are_in_the_language_of_who_asks_with_a_whole_address_of_the_picture():
    found = asked(host="me-cells.hf.space", x_forwarded_proto="https", accept_language="de")
    assert 'property="og:image" content="https://me-cells.hf.space/preview.png"' in found
    assert LANGUAGES["de"]("page.what") in found
    assert '"><script>' not in asked(host='"><script>') and 'content="/preview.png"' in asked(
        host='"><script>'
    )


def test_a_language_in_the_address_is_the_browser_s_and_nothing_else_is():
    assert 'value:"de"' in asked("lang=de", accept_language="de")
    assert "<script" not in asked("lang=</script>x") + asked("lang=xx") + asked()


def test_gradio_s_own_tags_are_gone():
    preview.install()
    preview.install()
    source, *_ = preview.templates.env.loader.get_source(preview.templates.env, "frontend/index.html")
    assert source.count("lv_tags") == 1 and "og:" not in source and "@Gradio" not in source


def test_the_picture_is_as_large_as_places_that_show_it_want():
    with Image.open(io.BytesIO(preview.picture())) as image:
        assert image.format == "PNG" and image.size == preview.SIZE
