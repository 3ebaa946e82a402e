"""One fit on two processes that Ray Train starts, on this machine or on a cluster.

    python examples/cluster/train_with_ray.py

Needs ``pip install "ray[train]"``. Ray makes the group of processes, which
``skhmc.distributed()`` finds; how long one waits for another is Ray's to say
(``TorchConfig(timeout_s=...)``). With ``FailureConfig`` it starts processes again that
died, and the fit goes on after its last checkpoint. On several machines, FOLDER has to
be one that all of them share.
"""

import sys
from pathlib import Path
from tempfile import gettempdir

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from train_with_torchrun import main


def fit(config):
    """Fit in all processes."""
    main(config["folder"])


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else Path(gettempdir()) / "skhmc_digits"
    trainer = TorchTrainer(
        fit,
        train_loop_config={"folder": str(folder)},
        scaling_config=ScalingConfig(num_workers=2, use_gpu=False),
        torch_config=TorchConfig(backend="gloo", timeout_s=60),
        run_config=RunConfig(
            storage_path=str(Path(folder).absolute()),
            failure_config=FailureConfig(max_failures=3),
        ),
    )
    trainer.fit()
