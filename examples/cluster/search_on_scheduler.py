"""Search on a Dask cluster that is there: give the address of its scheduler.

Run as ``python examples/cluster/search_on_scheduler.py tcp://HOST:8786``. The workers
need skhmc in the version that is here.
"""

import argparse

from distributed import Client
from search_on_dask import search

import skhmc


def main(address, n_workers=1, max_iter=10):
    """Wait for workers, and search on them."""
    found, X, Y = search(max_iter)
    with Client(address) as client:
        client.wait_for_workers(n_workers)
        with skhmc.on_dask(client, verbose=1):
            found.fit(X, Y)
    print(f"best: {found.best_params_}, AU(PRC) {found.best_score_:.3f}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", help="of the scheduler, such as tcp://HOST:8786")
    parser.add_argument("--workers", type=int, default=1, help="how many to wait for")
    parser.add_argument("--epochs", type=int, default=10, help="of every fit")
    options = parser.parse_args()
    main(options.address, options.workers, options.epochs)
