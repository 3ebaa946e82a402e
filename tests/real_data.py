"""Where the tests find the real data sets, which are not in the repository."""

import os
from pathlib import Path

import pytest


def real_data_home():
    """Return the folder of the real data sets; skip the test without one."""
    home = os.environ.get("SKHMC_DATA_HOME")
    if not home:
        pytest.skip("needs the real data sets: set SKHMC_DATA_HOME to their folder")
    if not Path(home, "clus").is_dir():
        pytest.skip(f"SKHMC_DATA_HOME={home} has no folder clus: set SKHMC_DATA_HOME")
    return Path(home)
