"""The tab for lessons, a file a part."""

from leukovision.demo.teach.class_round import route
from leukovision.demo.teach.tab import PARTS, tab

__all__ = ["PARTS", "route", "tab"]
