"""One fit on two processes that Spark starts, by its TorchDistributor.

    python examples/cluster/train_with_spark.py

Needs ``pip install pyspark`` and Java. With ``local_mode=False`` the processes run on
the workers of the cluster that the session is connected to; FOLDER then has to be one
that all of them share.
"""

import sys
from pathlib import Path
from tempfile import gettempdir

from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

PROGRAM = Path(__file__).with_name("train_with_torchrun.py")

if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else Path(gettempdir()) / "skhmc_digits"
    session = SparkSession.builder.master("local[2]").getOrCreate()
    distributor = TorchDistributor(num_processes=2, local_mode=True, use_gpu=False)
    distributor.run(str(PROGRAM), str(folder))
    session.stop()
