"""How well drawn cells stand for real ones: whether the ensemble takes them for cells, and tells them apart.

python benchmarks/drawn.py [cells, default 200] [ensemble, default the embedded one]
python benchmarks/drawn.py --examples    (prints `synthetic.EXAMPLES`, by what the embedded ensemble answers)
"""

import sys
from itertools import count as numbers

import numpy as np
from sklearn.metrics import roc_auc_score

from leukovision import load_ensemble, read_cell
from leukovision.demo.teach.lesson import drawn_cell
from leukovision.question import OURS, UNSURE
from leukovision.synthetic import example


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


def examples() -> None:
    """Print the first seeds on whose cells the ensemble is right (blast, lymphocyte), unsure, wrong, and
    right twice more. A cell that it finds odd is passed over."""
    ensemble = load_ensemble()
    wanted = [*OURS.names, UNSURE, "wrong", *OURS.names]
    chosen: dict[int, int] = {}
    for seed in numbers():
        truth = OURS.called(seed % 2 == 0)
        (one,) = ensemble.analyse([read_cell(example(seed))])
        says = one.decision if one.decision in (truth, UNSURE) else "wrong"
        place = next((k for k, want in enumerate(wanted) if want == says and k not in chosen), None)
        if place is not None and one.in_domain:
            chosen[place] = seed
            print(f"seed {seed}: {truth}, answered {one.decision}, p(ALL) {one.p_all:.2f}", flush=True)
        if len(chosen) == len(wanted):
            print(f"EXAMPLES = {tuple(chosen[place] for place in range(len(wanted)))}")
            return


if __name__ == "__main__":
    if sys.argv[1:] == ["--examples"]:
        examples()
    else:
        main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
