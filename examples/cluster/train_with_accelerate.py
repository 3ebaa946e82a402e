"""One fit on two processes that Accelerate starts.

    python examples/cluster/train_with_accelerate.py

Needs ``pip install accelerate``. On GPUs, ``accelerate launch`` does the same with a
program as it is:

    cd examples/cluster
    accelerate launch --multi_gpu --num_processes 2 train_with_torchrun.py

(not run here: there was no GPU). On CPUs it starts processes by MPI alone, and without
MPI only one. ``debug_launcher`` starts them without.
"""

import sys
from pathlib import Path
from tempfile import gettempdir

from accelerate import debug_launcher
from train_with_torchrun import main

if __name__ == "__main__":
    given = sys.argv[1:] or [Path(gettempdir()) / "skhmc_digits"]
    debug_launcher(main, given, num_processes=2)
