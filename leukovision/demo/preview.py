"""A request for the page comes in; tags and a picture go out, for where a link to it is shared."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import cache, partial

from gradio.routes import templates
from jinja2 import BaseLoader, Environment
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from leukovision import synthetic
from leukovision.demo.templates import macros
from leukovision.i18n import ENGLISH, LANGUAGES, choose
from leukovision.question import OURS, Question

_PIECES = macros("preview")

SIZE = (1200, 630)
"""Of the picture, px: what most places that show links cut nothing from."""

PATH = "/preview.png"

_CHARSET = '<meta charset="utf-8" />'


def route(question: Question = OURS) -> Route:
    """Where the picture is served."""
    return Route(PATH, lambda _: Response(picture(question), media_type="image/png"))


def tags(request: Request, question: Question = OURS) -> Markup:
    """Title, description and picture of the page, in the language of who asks, with whole addresses."""
    asked = request.headers
    texts = choose(asked.get("accept-language", "")).about(question)
    # Behind a proxy the page is asked by http, but shown by what the visitor used.
    scheme = "https" if asked.get("x-forwarded-proto", "").startswith("https") else request.url.scheme
    host = asked.get("x-forwarded-host") or asked.get("host", "")
    image = f"{scheme}://{host}{PATH}" if re.fullmatch(r"[\w.:\[\]-]+", host) else PATH
    said = {
        "og:type": "website",
        "og:title": texts("page.title"),
        "og:description": f"{texts('page.what')} {texts('page.disclaimer')}",
        "og:image": image,
        "og:image:alt": texts("page.preview"),
    }
    named = {"twitter:card": "summary_large_image", "description": said["og:description"]}
    chosen = request.query_params.get("lang") in LANGUAGES
    return _PIECES.tags(said, named, texts.language if chosen else "")


def install(question: Question = OURS) -> None:
    """Put the tags in the place of Gradio's, which tell of Gradio."""
    templates.env.globals["lv_tags"] = partial(tags, question=question)
    if not isinstance(templates.env.loader, _Loader):
        assert templates.env.loader
        templates.env.loader = _Loader(templates.env.loader)


class _Loader(BaseLoader):
    def __init__(self, own: BaseLoader) -> None:
        self.own = own

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        source, name, fresh = self.own.get_source(environment, template)
        source = re.sub(r'<meta\s+(property="og:|name="twitter:)[^>]*>', "", source)
        return source.replace(_CHARSET, _CHARSET + "{{ lv_tags(request) }}", 1), name, fresh


@cache
def picture(question: Question = OURS) -> bytes:
    """A PNG of two drawn cells beside what the page is, in English."""
    texts = ENGLISH.about(question)
    image = Image.new("RGB", SIZE, "#f7f5f2")
    pen = ImageDraw.Draw(image)
    for top, draw in ((30, synthetic.blast_like), (330, synthetic.lymphocyte_like)):
        cell = Image.fromarray(synthetic.paint(draw(4), 4)).crop((75, 75, 375, 375)).resize((270, 270))
        mask = Image.new("L", cell.size)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, *cell.size), 28, fill=255)
        image.paste(ImageEnhance.Brightness(cell).enhance(1.5), (890, top), mask)
    pen.text((70, 90), texts("page.title"), "#211d27", ImageFont.load_default(88))
    y = 230
    for line in _lines(texts("page.what"), ImageFont.load_default(38), 760):
        pen.text((70, y), line, "#5d5766", ImageFont.load_default(38))
        y += 50
    pen.text((70, 540), texts("page.disclaimer"), "#8a6400", ImageFont.load_default(30))
    content = io.BytesIO()
    image.quantize(128).save(content, "PNG", optimize=True)
    return content.getvalue()


def _lines(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


__all__ = ["install", "picture", "route", "tags"]
