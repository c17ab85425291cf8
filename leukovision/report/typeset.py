"""A layout in words and pictures come in; a tagged PDF, or a PNG, goes out, set by Typst."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any


def typeset(layout: dict[str, Any], pictures: Mapping[str, bytes], kind: str, made: datetime) -> bytes:
    """Set the template."""
    import typst

    template = Path(__file__).with_name("report.typ").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="leukovision-") as folder:
        main = Path(folder) / "report.typ"
        main.write_text(template, encoding="utf-8")
        for name, content in pictures.items():
            (Path(folder) / name).write_bytes(content)

        def compiled(said: dict[str, Any], **how: Any) -> bytes:
            data = json.dumps(said | {"paged": how["format"] == "pdf"})
            found = typst.compile(main, root=folder, sys_inputs={"data": data}, timestamp=made, **how)
            return bytes(found[0] if isinstance(found, list) else found)

        try:
            pdf = compiled(layout, format="pdf", pdf_standards="ua-1")
        except typst.TypstError as error:
            if "could not be displayed" not in error.message:
                raise
            # A name in a script that no font here has: its characters are written as their numbers.
            layout = _in_latin(layout)
            pdf = compiled(layout, format="pdf", pdf_standards="ua-1")
        return pdf if kind == "pdf" else compiled(layout, format="png", ppi=150)


def _in_latin(value: Any) -> Any:
    """The same with every character that a Latin font may lack as a backslash and its number."""
    if isinstance(value, str):
        kept = "’−±→≥≤“”…·"
        return "".join(
            sign if sign in kept or (sign.isprintable() and ord(sign) < 0x180) else ascii(sign)[1:-1]
            for sign in value
        )
    if isinstance(value, Mapping):
        return {key: _in_latin(part) for key, part in value.items()}
    return [_in_latin(part) for part in value] if isinstance(value, (list, tuple)) else value
