"""An ensemble's folder: what it holds, written and read; anything that does not match is refused.

Architectures are built by our code; only tensors and one JSON file are read from a folder.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
import pydantic
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.numpy import load, save

from leukovision.errors import sentence
from leukovision.question import OURS, UNSURE, WORDS, Question

_Model = TypeVar("_Model", bound=pydantic.BaseModel)

LARGEST = float(np.finfo(np.float16).max)
"""No tensor of an ensemble holds a larger value."""

FORMAT = 1
MANIFEST = "ensemble.json"

_FileName = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9_]+\.safetensors$")]
_Sha256 = Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]
# Wide enough for whatever can be meant, and no sum of what the networks say overflows.
_Positive = Annotated[float, pydantic.Field(ge=1e-3, le=1e3)]
_Logit = Annotated[float, pydantic.Field(ge=-100, le=100)]
_Short = Annotated[str, pydantic.Field(max_length=200)]
_Long = Annotated[str, pydantic.Field(max_length=20_000)]
_Told = Annotated[dict[str, Any], pydantic.BeforeValidator(lambda value: _shallow(value))]
_Probability = Annotated[float, pydantic.Field(ge=0, le=1)]
# In columns and file names as they are, and in HTML.
_ClassName = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
_Word = Annotated[str, pydantic.Field(pattern=r"^[^<>&\"{}\x00-\x1f]{1,200}$")]
_Language = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$")]


SCORES = "scores.csv"
"""File in an ensemble's folder: what was said of cells of subjects left out; not needed to decide."""

TRAITS = "traits.json"
"""The same: ranges of traits of training cells, by class (`explain.trait_ranges`)."""


MAX_FILE = 2 * 1024**3
"""Largest file of an ensemble, bytes: the three networks whole, in float32, are 0.4 GB together."""

DEEPEST = 12
"""How deep what a manifest tells of training and figures may be nested."""


class StoreError(ValueError):
    """A folder that is not an ensemble's; its text says which file, what is wrong, what would be right."""


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Part):
    """How a cell becomes numbers; the fields are those of `preprocessing.Input`."""

    geometry: Literal["fill", "crop"] = "fill"
    size: Annotated[int, pydantic.Field(ge=75, le=1024)] = 256
    colour: Literal["standardised", "plain"] = "standardised"
    field: Annotated[int, pydantic.Field(ge=75, le=450)] = 300
    chroma: Annotated[int, pydantic.Field(ge=1, le=64)] = 1


class MemberSpec(_Part):
    """A backbone in the ensemble: where it is cut, its file, and how its logit enters the ensemble's."""

    backbone: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9_]+$")]
    cut: str
    file: _FileName
    sha256: _Sha256
    temperature: _Positive = 1.0
    weight: Annotated[float, pydantic.Field(ge=0, le=1)]


class Thresholds(_Part):
    """The positive class is decided from this p on; strictly between the bounds of `abstain` it is unsure."""

    decide: _Probability = 0.5
    abstain: tuple[_Probability, _Probability] = (0.5, 0.5)


class DomainSpec(_Part):
    """Where the statistics of the training cells are, and how far from them a cell may be: `ood.Domain`.

    `looks` limits how odd it may look, `distance` how far its features may be.
    """

    file: _FileName
    sha256: _Sha256
    looks: _Positive
    distance: _Positive


class SlideSpec(_Part):
    """How the mean logits of one person's cells vary, out of fold: see `slide.logit`.

    `means` of negative and of positive slides, `spread` of the cells of one slide, `offset` from slide to
    slide; strictly between the two probabilities of `abstain` a slide is unsure.
    """

    means: tuple[_Logit, _Logit]
    spread: _Positive
    offset: _Positive
    abstain: tuple[_Probability, _Probability]


class Asked(_Part):
    """What is decided: the part of a manifest that `train --question` reads.

    `classes` are the negative and the positive one, `data` is what was learnt from, `words` are those of
    `question.WORDS` by language.
    """

    classes: tuple[_ClassName, _ClassName] = (OURS.negative, OURS.positive)
    data: _Short = ""
    words: dict[_Language, dict[Literal[WORDS], _Word]] = {}  # type: ignore[valid-type]

    @pydantic.model_validator(mode="after")
    def _two_classes(self) -> Self:
        if len({name.lower() for name in (*self.classes, UNSURE)}) < 3:
            raise ValueError(f"classes must be two, and neither may be called {UNSURE!r}")
        return self

    @property
    def question(self) -> Question:
        """The same as `Texts` know it."""
        negative, positive = self.classes
        data, topic = (OURS.data, OURS.topic) if (positive, negative) == OURS.names else ("", positive)
        return Question(positive, negative, self.data or data, topic, self.words)


class Manifest(Asked):
    """`ensemble.json`."""

    format: Annotated[int, pydantic.Field(ge=1)] = FORMAT
    name: _Short
    version: _Short
    input: InputSpec = InputSpec()
    members: Annotated[tuple[MemberSpec, ...], pydantic.Field(min_length=1)]
    bias: _Logit = 0.0
    thresholds: Thresholds = Thresholds()
    views: Literal[1, 8] = 1
    domain: DomainSpec | None = None
    slide: SlideSpec | None = None
    training: _Told = {}
    figures: _Told = {}
    intended_use: _Long = "Research and teaching. Not a medical device."
    limits: _Long = ""

    @pydantic.model_validator(mode="after")
    def _weights_sum_to_one(self) -> Manifest:
        if abs(sum(member.weight for member in self.members) - 1) > 1e-6:
            raise ValueError("the members' weights must sum to 1")
        if len({member.backbone for member in self.members}) < len(self.members):
            raise ValueError("each backbone can be a member only once")
        low, high = self.thresholds.abstain
        if not low <= self.thresholds.decide <= high:
            raise ValueError("thresholds.decide must lie within thresholds.abstain")
        return self


def file_in(folder: Path, name: str) -> Path:
    """A file of an ensemble's folder, from where it may be read.

    An ensemble comes from others. A link in it could show whoever sees the page a file of this machine, and a
    device or a pipe would be read without end. Links in the Hub's cache lead to its own `blobs`.

    Raises:
        FileNotFoundError: there is no such file.
        StoreError: it is a link out of the folder, no file, or too large.
    """
    path = folder / name
    real, home = path.resolve(strict=True), folder.resolve()
    cache = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    if real.parent not in (home, cache):
        raise StoreError(sentence("link_out", path=path))
    if not real.is_file() or real.stat().st_size > MAX_FILE:
        raise StoreError(sentence("no_file", path=path))
    return real


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write tensors as float16.

    Raises:
        StoreError: a value that float16 cannot hold.
    """
    # In C's order: safetensors writes the bytes as they lie, and a transposed array would be read scrambled.
    halves = {name: np.asarray(tensor).astype(np.float16, order="C") for name, tensor in tensors.items()}
    for name, half in halves.items():
        if not np.isfinite(half).all():
            raise StoreError(f"{path}: tensor {name!r} does not fit into float16; train with a lower rate.")
    write_whole(path, save(halves))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also if this process is killed or another writes it.

    Raises:
        OSError: it cannot be written; its text is a sentence, and what was there before still is.
    """
    with writing(path):
        if path.exists() and not path.is_file():  # a terminal, or a pipe
            path.write_bytes(content)
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: the file's may be as long as a name can be.
        aside = path.with_name(f".{os.getpid()}-{threading.get_ident()}.part")
        try:
            aside.write_bytes(content)
            if path.exists():
                shutil.copymode(path, aside)
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What keeps a file from being written becomes one sentence.

    Raises:
        OSError: with it.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(f"{path}: the disk is full; make room, and give the same command again.") from None
        if error.errno is None:
            raise
        raise OSError(f"{path}: cannot be written ({error.strerror}).") from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes out of a file or a folder that one alone may write.

    Raises:
        OSError: another one is at it; or nothing can be written there.
    """
    lock = path / ".lock" if path.is_dir() else path.with_name(f".{path.name}.lock")
    held = FileLock(lock, timeout=0)
    try:
        with writing(lock):
            held.acquire()
    except Timeout:
        raise OSError(
            f"{path}: another command is writing there; wait for its end, or name another place."
        ) from None
    try:
        yield
    finally:
        # First gone, then free: who opens it in between finds itself alone on a file that is no more, and
        # whoever comes after both makes a new one.
        lock.unlink(missing_ok=True)
        held.release()


def read_tensors(path: Path, sha256: str | None = None) -> dict[str, np.ndarray]:
    """Read tensors, float32.

    Args:
        path: a .safetensors file.
        sha256: what its bytes must hash to; None to believe them.

    Raises:
        StoreError: no such file, another hash, not safetensors, a type other than float16 or float32,
            a value that is not finite or too large, or a negative variance.
    """
    try:
        content = file_in(path.parent, path.name).read_bytes()
    except OSError as error:
        raise StoreError(sentence("not_whole", path=path, reason=error.strerror)) from None
    if sha256 and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise StoreError(sentence("changed", path=path, found=found, wanted=sha256))
    try:
        halves = load(content)
    except (SafetensorError, KeyError, ValueError):
        raise StoreError(sentence("no_tensors", path=path)) from None
    for name, tensor in halves.items():
        if tensor.dtype not in (np.float16, np.float32):
            raise StoreError(sentence("tensor_type", path=path, tensor=repr(name), found=tensor.dtype))
        if not (np.abs(tensor) <= LARGEST).all():
            raise StoreError(sentence("tensor_large", path=path, tensor=repr(name)))
        if name.endswith("variance") and (tensor < 0).any():
            raise StoreError(sentence("tensor_variance", path=path, tensor=repr(name)))
    return {name: tensor.astype(np.float32) for name, tensor in halves.items()}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `ensemble.json`, its name first."""
    content = manifest.model_dump(mode="json")
    content = {key: content[key] for key in ("format", "name", "version")} | content
    text = json.dumps(content, indent=2, ensure_ascii=False)
    write_whole(folder / MANIFEST, (text + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """Read `ensemble.json`.

    Raises:
        StoreError: not there, a link out of the folder, not JSON, of a newer format, or with a field that
            is wrong.
    """
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(file_in(Path(folder), MANIFEST).read_text("utf-8"), parse_constant=_no_number)
    except OSError:
        raise StoreError(sentence("no_manifest", folder=folder)) from None
    except StoreError:
        raise
    except (ValueError, RecursionError):
        raise StoreError(sentence("no_json", path=path)) from None
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise StoreError(sentence("newer", path=path, found=found, known=FORMAT))
    return _valid(Manifest, content, path)


def read_question(path: Path | None) -> Question:
    """What to train for: of a JSON file the fields of `Asked`, as an `ensemble.json` has them too.

    Raises:
        StoreError: the file cannot be read, is not JSON, or a field is wrong.
    """
    if path is None:
        return OURS
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StoreError(sentence("unreadable", name=path, reason=error.strerror)) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or "classes" not in content:
        raise StoreError(f"{path}: wanted is JSON with classes, data and words, as an {MANIFEST} has them.")
    return _valid(Asked, {key: content[key] for key in Asked.model_fields if key in content}, path).question


def _valid(kind: type[_Model], content: object, path: Path) -> _Model:
    """The content of a file as what it should be."""
    try:
        return kind.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the manifest"
        said = first["msg"].removeprefix("Value error, ")
        raise StoreError(sentence("wrong_field", path=path, field=where, what=said)) from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON.")


def _shallow(value: Any, deep: int = 0) -> Any:
    """The same, if it is nested no deeper than whoever shows it can follow, and each number is one."""
    if deep > DEEPEST:
        raise ValueError(f"is nested more than {DEEPEST} deep")
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            _shallow(one, deep + 1)
    elif isinstance(value, float) and not np.isfinite(value):  # 1e999 is JSON, and infinite
        raise ValueError("holds a number that is not finite")
    return value
