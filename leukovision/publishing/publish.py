"""An ensemble's folder comes in; a repository on the Hugging Face Hub, with its card, goes out."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from huggingface_hub import EvalResult, HfApi, ModelCardData
from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

from leukovision import hub
from leukovision.artifact import MANIFEST, SCORES, TRAITS, Manifest, StoreError, file_in
from leukovision.backbones import BACKBONES
from leukovision.batch.sources import pictures
from leukovision.cell import CellError, read_cell
from leukovision.ensemble import load_ensemble

METRICS = {
    "auc": "roc_auc",
    "balanced_accuracy": "balanced_accuracy",
    "weighted_f1": "f1",
    "brier": "brier_score",
}
"""Figures of the manifest, and what the Hub calls them."""


def stage(
    folder: Path,
    repo: str,
    out: Path,
    examples: Path | None = None,
    credit: str = "",
    trust: Path | None = None,
) -> list[str]:
    """Write what will be published into a folder.

    Args:
        folder: of the ensemble; it is loaded, so that what cannot be used is not published.
        repo: `user/repo`.
        out: a folder that is empty or not there.
        examples: pictures that may be shown with it.
        credit: whose they are; wanted with `examples`.
        trust: `trust.md` of `leukovision trust`; by default the one in the ensemble's folder, if any.

    Returns:
        Names of the files.

    Raises:
        StoreError: the folder is not an ensemble's, or something in it does not match.
        ValueError: pictures without credit, or one that cannot be read; `out` is not empty.
    """
    if examples and not credit:
        raise ValueError("--examples needs --credits: say whose pictures they are, and under which license.")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out}: there is something in this folder; name an empty one.")
    manifest = load_ensemble(folder).manifest
    out.mkdir(parents=True, exist_ok=True)
    names = [MANIFEST, *(member.file for member in manifest.members)]
    names += [manifest.domain.file] if manifest.domain else []
    names += [name for name in (SCORES, TRAITS) if (folder / name).is_file()]
    for name in names:
        shutil.copyfile(file_in(folder, name), out / name)
    if examples:
        (out / "examples").mkdir()
        for path in (path for path in pictures(examples) if path.parent == examples):
            try:
                read_cell(path, path.name)
            except CellError as error:
                raise ValueError(str(error)) from None
            shutil.copyfile(path, out / "examples" / path.name)
            names.append(f"examples/{path.name}")
    (out / "README.md").write_text(_card(folder, manifest, repo, credit, trust), encoding="utf-8")
    return [*names, "README.md"]


def publish(out: Path, repo: str, private: bool = False, tag: str = "") -> str:
    """Send a staged folder in one commit.

    Args:
        out: as `stage` wrote it.
        repo: `user/repo`; made if it is not there.
        private: whether a new repository is hidden from others.
        tag: also give the commit this name.

    Returns:
        `user/repo@commit`.

    Raises:
        StoreError: the Hub refused, or cannot be reached.
    """
    api = HfApi()
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        done = api.upload_folder(repo_id=repo, folder_path=out, commit_message="Publish an ensemble")
        if tag:
            api.create_tag(repo, tag=tag, revision=done.oid)
    except HfHubHTTPError as error:
        said = str(error).strip().partition("\n")[0]
        raise StoreError(
            f"{repo}: the Hub refused ({said}); a token that may write is needed (HF_TOKEN)."
        ) from None
    except (HTTPError, ConnectionError) as error:
        raise StoreError(f"{repo}: the Hub cannot be reached ({type(error).__name__}).") from None
    return f"{repo}@{done.oid}"


def space(out: Path, repo: str, revision: str | None = None) -> list[str]:
    """Write a Hugging Face Space, ready to be pushed, whose page decides by an ensemble on the Hub.

    Args:
        out: a folder that is empty or not there.
        repo: `user/repo` of the ensemble.
        revision: of it; pinned to the commit that it stands for now.

    Returns:
        What lies in the folder.

    Raises:
        StoreError: as `hub.find`.
        ValueError: `out` is not empty.
    """
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out}: there is something in this folder; name an empty one.")
    found = hub.pull(repo, revision)
    root = Path(__file__).resolve().parents[2]
    out.mkdir(parents=True, exist_ok=True)
    for name in ("leukovision", "weights"):
        shutil.copytree(root / name, out / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "LICENSE"):
        shutil.copyfile(root / name, out / name)
    app = (root / "app.py").read_text(encoding="utf-8")
    head = 'os.environ.setdefault("LEUKOVISION_ENSEMBLE", ' + f'"{found.origin}")\n\nif __name__'
    app = app.replace("from leukovision.demo", "import os\n\nfrom leukovision.demo", 1)
    (out / "app.py").write_text(app.replace("if __name__", head, 1), encoding="utf-8")
    own = (root / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1]
    files = sorted(path.name for path in found.folder.iterdir() if path.name != "README.md")
    commit = found.origin.partition("@")[2]
    preload = f"preload_from_hub:\n  - {repo} {','.join(files)} {commit}\n"
    words = (
        f"# LeukoVision\n\nThe page decides by `{found.origin}`. Research and teaching; no medical device.\n"
    )
    (out / "README.md").write_text(f"---\n{own}{preload}---\n\n{words}", encoding="utf-8")
    return sorted(path.name for path in out.iterdir())


def _card(folder: Path, manifest: Manifest, repo: str, credit: str, trust: Path | None) -> str:
    """Front matter, and the model card that `leukovision card` wrote, with how to load it from the Hub."""
    figures = manifest.figures.get("unseen", {}).get("ensemble", {})
    name = manifest.question.data.partition(",")[0] or manifest.name
    dataset = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_") or "data"
    results = [
        EvalResult(
            task_type="image-classification", dataset_type=dataset,
            dataset_name=f"{name}, subjects left out of training", metric_type=kind,
            metric_name=key.replace("_", " "), metric_value=figures[key]["value"],
        )
        for key, kind in METRICS.items()
        if key in figures
    ]  # fmt: skip
    data = ModelCardData(
        license="apache-2.0",
        library_name="keras",
        pipeline_tag="image-classification",
        datasets=[dataset],
        metrics=list(METRICS.values()),
        tags=[manifest.question.topic, "cytology", "explainability", "class-activation-map"]
        + [BACKBONES[m.backbone].title for m in manifest.members],
        model_name=f"{manifest.name} {manifest.version}",
        eval_results=results or None,
    )
    own = folder / "README.md"
    body = own.read_text(encoding="utf-8") if own.is_file() else f"# {manifest.name} {manifest.version}\n"
    if body.startswith("---\n"):
        body = body.split("---\n", 2)[2].lstrip()
    body = body.replace('load_ensemble("this/folder")', f'load_ensemble("{repo}")')
    own = trust or folder / "trust.md"
    if trust or own.is_file():
        body += f"\n## How far the maps can be trusted\n\n{own.read_text(encoding='utf-8')}"
    if credit:
        body += f"\n## Example pictures\n\n{credit}\n"
    return f"---\n{data.to_yaml()}\n---\n\n{body}"


def publish_folder(
    folder: Path, repo: str, private: bool, tag: str, examples: Path | None, credit: str, trust: Path | None
) -> str:
    """Stage in a folder of its own and send it; as `stage` and `publish`."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "staged"
        stage(folder, repo, out, examples, credit, trust)
        return publish(out, repo, private, tag)
