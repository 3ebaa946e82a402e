"""One fit on several processes, started by torchrun.

    torchrun --nproc-per-node 2 examples/cluster/train_with_torchrun.py

runs this file twice. Both processes read the same data and share every batch of the
fit. If one of them is killed, torchrun ends the other; the same command again then goes
on after the last epoch that was written. With ``--max-restarts 3`` torchrun starts both
again by itself. On two machines of a cluster, each runs

    torchrun --nnodes 2 --nproc-per-node 8 \\
        --rdzv-backend c10d --rdzv-endpoint FIRST_MACHINE:29400 \\
        examples/cluster/train_with_torchrun.py FOLDER

where FOLDER is a folder that both machines share.
"""

import sys
from pathlib import Path
from tempfile import gettempdir

import skhmc
from skhmc.datasets import load_digit_properties
from skhmc.metrics import hierarchical_f1_score


def main(folder):
    """Fit in all processes; the first one scores the estimator and writes it."""
    folder = Path(folder)
    digits = load_digit_properties()
    clf = skhmc.HCALClassifier(
        digits.hierarchy,
        max_iter=10,
        batch_size=256,  # of all processes together
        checkpoint=skhmc.Checkpoint(folder / "checkpoints"),
        random_state=0,
    )
    with skhmc.distributed() as processes:
        # every process gives all rows: they are shared out inside
        clf.fit(digits.data[digits.train] / 16, digits.target[digits.train])
    if processes.rank == 0:
        predicted = clf.predict(digits.data[digits.test] / 16)
        given = digits.target[digits.test], predicted, digits.hierarchy
        score = hierarchical_f1_score(*given)
        skhmc.save(clf, folder / "digits.skhmc")
        print(f"{processes.n_processes} processes, hierarchical F1 {score:.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(gettempdir()) / "skhmc_digits")
