"""What an ensemble is called comes in; a folder on this machine goes out, pulled from the Hub if need be.

A repository on the Hugging Face Hub is named `user/repo`, or `user/repo@revision`: a branch, a tag or a
commit. Only the files of an ensemble are pulled, each by the full commit, and kept in the Hub's own cache.
Environment variables are those of huggingface_hub: HF_TOKEN for private and gated repositories,
HF_ENDPOINT for a mirror, HF_HOME for the cache, HF_HUB_OFFLINE to ask nobody.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leukovision.artifact import MANIFEST, SCORES, TRAITS, Manifest, StoreError, read_manifest
from leukovision.errors import Sentence, sentence

_HERE = Path(__file__).resolve().parent
EMBEDDED = next(
    (folder for folder in (_HERE.parent / "weights", _HERE / "weights") if (folder / MANIFEST).is_file()),
    _HERE.parent / "weights",
)
"""The ensemble that comes with the code: beside the package, or in it where it was installed from a wheel."""

PATIENCE = 10
"""Seconds without an answer after which the Hub counts as out of reach."""

CARD = "README.md"

EXAMPLES = "examples"
"""Folder of a repository with pictures that may be shown."""

_NAME = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class Found:
    """Where an ensemble is.

    Attributes:
        folder: on this machine.
        origin: `embedded`, the folder as it was named, or `user/repo@commit` with the full commit.
        note: a sentence, where it is not quite what was asked for: the Hub could not be reached and the
            cached copy is used; else "".
    """

    folder: Path
    origin: str
    note: str = ""


Pulling = Callable[[str, str], None]
"""Told, before each file that is pulled, the name as it was asked for and the file."""


def asked(source: str | Path | None = None) -> str:
    """What `find` is asked for, by its name: `embedded`, a folder, `user/repo` or `user/repo@revision`."""
    source = source or os.environ.get("LEUKOVISION_ENSEMBLE") or EMBEDDED
    return "embedded" if Path(source) == EMBEDDED else str(source)


def find(source: str | Path | None = None, pulling: Pulling | None = None) -> Found:
    """Find an ensemble.

    Args:
        source: its folder, or its name on the Hub. None for what the environment variable
            LEUKOVISION_ENSEMBLE names, or else for the one that comes with the code.
        pulling: is told what is pulled.

    Raises:
        StoreError: it is not on the Hub, or neither there nor in the cache can it be had. A folder that
            is no ensemble is found all the same; reading it says so.
    """
    name = asked(source)
    folder = EMBEDDED if name == "embedded" else Path(name)
    named = _NAME.fullmatch(name)
    if folder.is_dir() or not named:
        return Found(folder, name)
    return pull(named["repo"], named["revision"], pulling)


def manifest(source: str | Path | None = None) -> Manifest | None:
    """The manifest alone of what `find` is asked for, from the cache where it is there: a page that comes up
    before its ensemble has to know what is asked of cells. None where it cannot be had."""
    name = asked(source)
    folder, named = EMBEDDED if name == "embedded" else Path(name), _NAME.fullmatch(name)
    try:
        if named and not folder.is_dir():
            folder = _manifest_of(named["repo"], named["revision"])
        return read_manifest(folder)
    except (OSError, ValueError):
        return None


def _manifest_of(repo: str, revision: str | None) -> Path:
    """The folder in the cache that has it."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    found = try_to_load_from_cache(repo, MANIFEST, revision=revision)
    try:
        if not isinstance(found, str):
            found = hf_hub_download(repo, MANIFEST, revision=revision, etag_timeout=PATIENCE)
    except HTTPError as error:
        raise ConnectionError(repo) from error
    return Path(found).parent


def pull(repo: str, revision: str | None = None, pulling: Pulling | None = None) -> Found:
    """Bring an ensemble from the Hub into the cache, or find it there where the Hub cannot be reached.

    Args:
        repo: `user/repo`.
        revision: a branch, a tag or a commit; the main branch by default.
        pulling: as in `find`.

    Raises:
        StoreError: as `find`.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    name = f"{repo}@{revision}" if revision else repo

    def pulled(file: str) -> None:
        if pulling:
            pulling(name, file)

    try:
        try:
            pulled(MANIFEST)
            head = get_hf_file_metadata(hf_hub_url(repo, MANIFEST, revision=revision), timeout=PATIENCE)
            if not head.commit_hash:
                raise StoreError(sentence("no_commit", name=name))
            return _fetch(repo, revision, head.commit_hash, pulled)
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status < 500 and status not in (408, 429):
                raise StoreError(_refused(name, error)) from None
            why = sentence("hub_error", status=status)
        except (HTTPError, ConnectionError, TimeoutError) as error:
            why = sentence("hub_away", kind=type(error).__name__)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            why = sentence("cache_locked", reason=error.strerror)
        return _cached(repo, revision, name, why)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(sentence("cache_full", name=name)) from None
        reason = error.strerror or str(error).strip().partition("\n")[0]
        raise StoreError(sentence("not_pulled", name=name, reason=reason)) from None


def examples(source: str | Path) -> Found:
    """Find pictures to offer: a folder of them, or the folder `examples` of a repository on the Hub.

    Args:
        source: as in `find`.

    Raises:
        StoreError: it is not on the Hub, or neither there nor in the cache can it be had. A folder that is
            not there is found all the same; reading it says so.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, named = str(source), _NAME.fullmatch(str(source))
    if Path(source).is_dir() or not named:
        return Found(Path(source), name)
    repo, revision = named["repo"], named["revision"]
    try:
        # Where the Hub cannot be reached, this is what was pulled before.
        pulled = snapshot_download(
            repo, revision=revision, allow_patterns=f"{EXAMPLES}/*", etag_timeout=PATIENCE
        )
    except LocalEntryNotFoundError as error:
        cause = error.__cause__ or error
        status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else 0
        why = (
            sentence("hub_error", status=status)
            if status
            else sentence("hub_away", kind=type(cause).__name__)
        )
        raise StoreError(sentence("not_cached", name=name, why=why)) from None
    except HfHubHTTPError as error:
        raise StoreError(_refused(name, error)) from None
    return Found(Path(pulled) / EXAMPLES, f"{repo}@{Path(pulled).name}")


def _fetch(
    repo: str,
    revision: str | None,
    commit: str,
    pulled: Callable[[str], None] = lambda file: None,
    local: bool = False,
) -> Found:
    """Every file of an ensemble, the manifest first: it names the others."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, RemoteEntryNotFoundError

    def get(file: str, at: str | None = commit) -> Path:
        pulled(file)
        return Path(hf_hub_download(repo, file, revision=at, local_files_only=local, etag_timeout=PATIENCE))

    # By the revision once, so that the cache remembers what it stood for when the Hub cannot be asked.
    folder = get(MANIFEST, commit if local else revision).parent
    if folder.name != commit:
        folder = get(MANIFEST).parent
    manifest = read_manifest(folder)
    files = [member.file for member in manifest.members]
    for file in [*files, *([manifest.domain.file] if manifest.domain else [])]:
        try:
            get(file)
        except RemoteEntryNotFoundError:
            raise StoreError(sentence("not_in_it", name=f"{repo}@{commit}", file=file)) from None
    for file in (SCORES, TRAITS, CARD):
        try:
            get(file)
        except EntryNotFoundError:
            continue
    return Found(folder, f"{repo}@{commit}")


def _cached(repo: str, revision: str | None, name: str, why: Sentence) -> Found:
    """The copy in the cache.

    Raises:
        StoreError: there is none, or it is not whole.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError

    found = try_to_load_from_cache(repo, MANIFEST, revision=revision)
    if not isinstance(found, str):
        raise StoreError(sentence("not_cached", name=name, why=why))
    try:
        kept = _fetch(repo, revision, Path(found).parent.name, local=True)
    except EntryNotFoundError:
        raise StoreError(sentence("half_cached", name=name, why=why)) from None
    return Found(kept.folder, kept.origin, sentence("cached", name=name, why=why))


def _refused(name: str, error: Exception) -> Sentence:
    """What a 4xx of the Hub means, and what would be right."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return sentence("gated", name=name)
    if isinstance(error, errors.RepositoryNotFoundError):
        return sentence("no_repository", name=name)
    if isinstance(error, errors.RevisionNotFoundError):
        return sentence("no_revision", name=name)
    if isinstance(error, errors.EntryNotFoundError):
        return sentence("no_ensemble", name=name)
    return sentence("hub_refused", name=name, reason=str(error).strip().partition("\n")[0])


__all__ = ["EMBEDDED", "EXAMPLES", "Found", "Pulling", "asked", "examples", "find", "manifest", "pull"]
