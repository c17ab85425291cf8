"""How well drawn cells stand for real ones: whether the ensemble takes them for cells, and tells them apart.

python benchmarks/drawn.py [cells, default 200] [ensemble, default the embedded one]
"""

import sys

import numpy as np
from sklearn.metrics import roc_auc_score

from leukovision import load_ensemble
from leukovision.demo.teach.lesson import drawn_cell


def main(count: int = 200, source: str | None = None) -> None:
    """Print a row of a table."""
    cells, truths = zip(*(drawn_cell(1, place) for place in range(count)), strict=True)
    analyses = load_ensemble(source).analyse(cells)
    is_blast = np.array([truth == "ALL" for truth in truths])
    logits = np.array([one.logit for one in analyses])
    inside = np.mean([one.in_domain for one in analyses])
    print("| drawn cells | like blasts | in domain | AUC | called ALL: blasts, lymphocytes |")
    print("| --- | --- | --- | --- | --- |")
    called = [np.mean(logits[kind] > 0) for kind in (is_blast, ~is_blast)]
    print(
        f"| {count} | {is_blast.sum()} | {inside:.2f} | {roc_auc_score(is_blast, logits):.2f} "
        f"| {called[0]:.2f}, {called[1]:.2f} |"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
