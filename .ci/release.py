"""Build sdist and wheel, and try them with the oldest and the newest dependencies.

Run as ``make release``, or ``python .ci/release.py [options]`` with Python 3.11 or
newer, git, and nothing else installed. It

1. builds both files into ``dist/`` and has ``twine check`` read them;
2. makes an empty environment for each of "oldest" (the lower bounds of pyproject.toml,
   as ``constraints-oldest.txt`` has them) and "newest" (what pip gets), installs the
   wheel with the extras of the tests, then the sdist, and compares what they installed;
3. runs the fast tests of the package there, in a copy of the repository without
   ``skhmc/``, so that nothing but the installed package can be imported;
4. prints the versions that were tested.

It ends with an error as soon as a step fails. Environments are removed at the end;
those with CUDA builds of PyTorch take several GB.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = ROOT / "constraints-oldest.txt"
EXTRAS = "onnx,test"  # "test" has the other ones of users
# tests of the repository: its pages, benchmarks, examples and source files
OF_THE_REPOSITORY = (
    "test_benchmark_*.py",
    "test_check_pages.py",
    "test_demo.py",
    "test_docs.py",
    "test_example_*.py",
    "test_layers.py",
    "test_release.py",
    "test_repository.py",
)
# What PyTorch says of its own code: before 2.6 to everybody who unpickles a module, and
# 2.4 where a backward pass computes values again
OF_OLD_TORCH = (
    "ignore:You are using `torch.load` with `weights_only=False`:FutureWarning",
    "ignore:`torch.cpu.amp.autocast(args...)` is deprecated:FutureWarning",
)
FAST = "not slow and not gpu and not distributed"
VERSIONS = "import importlib.metadata as m, sys; {}".format(
    "print(*(f'{name}=={m.version(name)}' for name in sys.argv[1:]), sep='\\n')"
)


def run(*command, cwd=ROOT):
    """Run a command, shown first; raise when it fails."""
    shown = " ".join(str(part) for part in command)
    print(f"\n=== {shown} ({time.strftime('%T')})", flush=True)
    subprocess.run([str(part) for part in command], cwd=cwd, check=True, env=plain())


def output_of(*command, cwd=ROOT):
    """Return what a command prints."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
        env=plain(),
    )
    return done.stdout.strip()


def plain():
    """Return the environment without what would let Python find the repository."""
    kept = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTEST_ADDOPTS")
    }
    return kept | {"OMP_NUM_THREADS": "1"}


# -- the files of a release ------------------------------------------------------------


def build(tools):
    """Build both files into dist/, check them, and return their paths."""
    for folder in ("build", "dist"):
        shutil.rmtree(ROOT / folder, ignore_errors=True)
    python = make_environment(tools)
    run(python, "-m", "pip", "install", "--quiet", "build", "twine")
    run(python, "-m", "build", "--outdir", "dist")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    (sdist,) = (ROOT / "dist").glob("*.tar.gz")
    run(python, "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def make_environment(folder, python=sys.executable):
    """Make an empty environment, and return its Python."""
    run(python, "-m", "venv", folder)
    scripts = "Scripts" if os.name == "nt" else "bin"
    return folder / scripts / "python"


# -- a release as users have it --------------------------------------------------------


def install(python, wheel, sdist, constraints):
    """Install the wheel and then the sdist, which have to put the same files there."""
    pinned = ["-c", constraints] if constraints else []
    pip = (python, "-m", "pip", "install", "--quiet")
    run(*pip, *pinned, f"{wheel}[{EXTRAS}]")
    of_wheel = installed_files(python)
    run(*pip, "--force-reinstall", "--no-deps", sdist)
    if installed_files(python) != of_wheel:
        raise SystemExit(f"{sdist.name} installs other files than {wheel.name}.")


def installed_files(python):
    """Return the files of skhmc that are installed, with their hashes."""
    (record,) = python.parents[1].rglob("skhmc-*.dist-info/RECORD")
    lines = record.read_text().splitlines()
    return {line for line in lines if line.startswith("skhmc/") and ".pyc," not in line}


def copy_without_package(folder):
    """Copy what the repository tracks, but for the package."""
    for name in output_of("git", "ls-files").splitlines():
        if not name.startswith("skhmc/") and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def test(python, suite, chosen, processes):
    """Run the fast tests of the package."""
    where = output_of(python, "-c", "import skhmc; print(skhmc.__file__)", cwd=suite)
    if not Path(where).is_relative_to(python.parents[1].resolve()):
        raise SystemExit(f"The tests would import {where}, not the installed package.")
    left_out = [f"--ignore-glob=tests/{name}" for name in OF_THE_REPOSITORY]
    options = ["-q", "-n", processes, "--dist", "worksteal", "--strict-markers"]
    fast = ["-o", "addopts=", "-m", FAST, "-p", "no:cacheprovider"]
    fast += [part for warning in OF_OLD_TORCH for part in ("-W", warning)]
    run(python, "-m", "pytest", *options, *fast, *left_out, *chosen, cwd=suite)


def tested_versions(python):
    """Return the versions of all packages that skhmc or an extra of users names."""
    versions = output_of(python, "-c", VERSIONS, *bounds())
    number = output_of(python, "-c", "import platform as p; print(p.python_version())")
    return [f"python=={number}", *versions.splitlines()]


def bounds():
    """Return the lower bounds of pyproject.toml: of skhmc, and of the tested extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = project["dependencies"] + [
        line
        for extra, lines in extras.items()
        if extra not in ("docs", "dev")
        for line in lines
    ]
    pairs = (line.split(">=") for line in named if not line.startswith("skhmc["))
    return dict(sorted(pairs))


# -- the command -----------------------------------------------------------------------


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "tests", nargs="*", default=["tests"], help="what to run (all of tests/)"
    )
    parser.add_argument("--only", choices=["oldest", "newest"])
    parser.add_argument(
        "--newest-python", default=sys.executable, help="Python of the newest versions"
    )
    parser.add_argument(
        "--processes", default="auto", help="of the tests, as for xdist"
    )
    return parser.parse_args(arguments)


def main():
    """Build, check, install and test; print what was tested."""
    options, tested = parse(), {}
    pythons = {"oldest": sys.executable, "newest": options.newest_python}
    if options.only:
        pythons = {options.only: pythons[options.only]}
    with tempfile.TemporaryDirectory(prefix="skhmc-release-") as work:
        work = Path(work).resolve()
        wheel, sdist = build(work / "tools")
        copy_without_package(work / "suite")
        for name, interpreter in pythons.items():
            python = make_environment(work / name, interpreter)
            install(python, wheel, sdist, OLDEST if name == "oldest" else None)
            test(python, work / "suite", options.tests, options.processes)
            tested[name] = tested_versions(python)
            shutil.rmtree(work / name)  # before the next takes as much
    for name, versions in tested.items():
        print(f"\nTested with the {name} versions: {', '.join(versions)}.")
    print(f"\n{wheel.name} and {sdist.name} are ready in dist/.")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"Failed: {' '.join(error.cmd)}")
