"""A layout in words and pictures come in; a tagged PDF, or a PNG, goes out, set by Typst."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any


def typeset(
    layout: dict[str, Any], pictures: Mapping[str, bytes], kind: str, made: datetime, apart: bool = False
) -> bytes:
    """Set the template.

    Args:
        layout, pictures: as `layout` gives them.
        kind: "pdf" or "png".
        made: when.
        apart: in a process of its own. Typst keeps what it has set: 400 MB after a few long reports.

    Raises:
        RuntimeError: it cannot be set.
    """
    template = Path(__file__).with_name("report.typ").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="leukovision-") as name:
        folder = Path(name)
        (folder / "report.typ").write_text(template, encoding="utf-8")
        for picture, content in pictures.items():
            (folder / picture).write_bytes(content)
        if not apart:
            return _set(folder, layout, kind, made)
        (folder / "layout.json").write_text(json.dumps(layout), encoding="utf-8")
        command = [sys.executable, "-P", __file__, str(folder), kind, made.isoformat()]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"the report cannot be set: {done.stderr.decode(errors='replace')[-300:]}")
        return done.stdout


def _set(folder: Path, layout: dict[str, Any], kind: str, made: datetime) -> bytes:
    """What lies in a folder, as a file."""
    import typst

    def compiled(said: dict[str, Any], **how: Any) -> bytes:
        data = json.dumps(said | {"paged": how["format"] == "pdf"})
        main = folder / "report.typ"
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


if __name__ == "__main__":
    at, wanted, when = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])
    said = json.loads((at / "layout.json").read_text(encoding="utf-8"))
    sys.stdout.buffer.write(_set(at, said, wanted, when))
