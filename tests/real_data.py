"""Where the tests find the real data sets, which are not in the repository."""

import os
from pathlib import Path

import pytest


def real_data_home(folder="clus"):
    """Return the folder of the real data sets; skip the test without one.

    ``folder`` is what has to be in it: "clus" or "npz".
    """
    home = os.environ.get("SKHMC_DATA_HOME")
    if not home:
        pytest.skip("needs the real data sets: set SKHMC_DATA_HOME to their folder")
    if not Path(home, folder).is_dir():
        pytest.skip(
            f"SKHMC_DATA_HOME={home} has no folder {folder}: set SKHMC_DATA_HOME"
        )
    return Path(home)
