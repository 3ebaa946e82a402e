"""What predicts the same in threads and other processes, and what never ends.

Run as ``python -m benchmarks.processes``. A network predicts in eight threads at once,
in a process that is spawned, in one that is forked before torch was used here, and in
one that is forked after torch was used with one thread and with several. Each says
whether the probabilities are those of this process, bit for bit. What has not answered
after ``--limit`` seconds is killed, and said to wait for ever. Writes
``benchmarks/results/processes.json`` and ``docs/processes_table.inc``.
"""

import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.command import DOCS, RESULTS, command_line, write_results
from benchmarks.tables import include, table, text_row

SAME, OTHER, NEVER = "same bits", "other bits", "waits for ever"
WIDTHS = (52, 16)


def fitted():
    """Return a network whose products are large enough to be shared among threads."""
    from skhmc import MaxConstraintClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 500)).astype(np.float32)
    Y = rng.integers(0, 2, (2000, 3))
    Y[:, 0] |= Y[:, 1]
    options = {"hidden_layer_sizes": (500,), "max_iter": 1, "random_state": 0}
    return MaxConstraintClassifier([(0, 1)], device="cpu", **options).fit(X, Y), X


def answer(pipe, clf, X):
    """Send the bytes of all probabilities."""
    pipe.send_bytes(clf.predict_proba(X).tobytes())


def fit_and_answer(pipe):
    """Do all of it in this process, which has not used torch before."""
    clf, X = fitted()
    answer(pipe, clf, X)


def from_process(method, target, args, limit):
    """Return the bytes that a process sends, None where it takes too long."""
    context = multiprocessing.get_context(method)
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(writer, *args))
    process.start()
    found = reader.recv_bytes() if reader.poll(limit) else None
    process.kill()
    process.join()
    return found


def page(made):
    """Return the table of the documentation."""
    rows = [[what, outcome] for what, outcome in made["outcomes"].items()]
    title = "Predictions, beside those of the process that was fitted in"
    return include(
        "benchmarks.processes",
        [table(title, ["where", "outcome"], rows)],
        made["versions"],
    )


def main():
    parser = command_line(__doc__)
    parser.add_argument("--limit", type=float, default=180, help="seconds")
    limit = parser.parse_args().limit
    os.environ["OMP_NUM_THREADS"] = "1"  # a number that is said is kept to
    first = from_process("fork", fit_and_answer, (), limit)

    import torch

    from benchmarks.figures import versions  # which loads torch

    outcomes = {}

    def say(what, found, expected):
        outcome = NEVER if found is None else SAME if found == expected else OTHER
        outcomes[what] = outcome
        print(text_row((what, outcome), WIDTHS), flush=True)

    torch.set_num_threads(1)
    clf, X = fitted()
    expected = clf.predict_proba(X).tobytes()
    say("forked before torch was used", first, expected)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: clf.predict_proba(X).tobytes(), range(32)))
    same = all(one == expected for one in found)
    say("8 threads, 32 predictions", expected if same else b"", expected)
    say("spawned", from_process("spawn", answer, (clf, X), limit), expected)
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        expected = clf.predict_proba(X).tobytes()
        found = from_process("fork", answer, (clf, X), limit)
        say(f"forked after torch was used, threads: {n_threads}", found, expected)
    made = {"limit": limit, "outcomes": outcomes, "versions": versions()}
    write_results(RESULTS / "processes.json", made)
    (DOCS / "processes_table.inc").write_text(page(made))


if __name__ == "__main__":
    sys.exit(main())
