"""Many fits: which are left to do, doing them, and what is said of those done."""

import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from benchmarks.accuracy_parts import results
from benchmarks.accuracy_parts.processes import side_by_side
from benchmarks.accuracy_parts.sets import KINDS

__all__ = [
    "Series",
    "add_options",
    "changed_rows",
    "said_of_runs",
    "said_of_two_cores",
]

STOPPED = "Stopped; what is done stays."


# -- fits ------------------------------------------------------------------------------


def as_given(jobs, runs):
    """Return jobs in the order that they have."""
    return jobs


@dataclass
class Series:
    """The fits of a command, and the file that has their figures.

    Parameters
    ----------
    path : Path
        The file.
    fit : callable
        Of a job, and with ``quick`` and ``device``; returns figures. New processes
        import it.
    define : callable
        Of jobs; returns what ``definition`` says of each, by job.
    document : callable
        Writes the documentation, from what is in the file.
    order : callable
        Of jobs and the runs that are done; returns the jobs in the order to run them.
    """

    path: Path
    fit: Callable
    define: Callable
    document: Callable
    order: Callable = as_given

    def pending(self, jobs, path):
        """Return the jobs that a file does not have, in the order to run them."""
        found, defined = results.read(path), self.define(jobs)
        left = [j for j in jobs if not results.is_done(found, j, defined[j][1])]
        return self.order(left, found["runs"])

    def run(self, jobs, path, n_processes=2, fit=None):
        """Run jobs side by side and write each when it is done.

        Parameters
        ----------
        jobs : list of Job
        path : Path or None
            The file to write; None writes nothing.
        n_processes : int, default=2
        fit : callable, default=None
            Of a job; None is ``self.fit``.

        Returns
        -------
        list of Job
            Those that failed.
        """
        where, failed, start = results.environment(), [], time.perf_counter()
        defined = self.define(jobs)
        with closing(side_by_side(fit or self.fit, jobs, n_processes)) as done:
            for number, (job, figures, error) in enumerate(done, 1):
                if error is None and path is not None:
                    results.add(path, job, figures, defined[job], where)
                minutes = (time.perf_counter() - start) / 60
                said = said_of(figures) if error is None else f"FAILED\n{error}"
                failed += [] if error is None else [job]
                count = f"[{number}/{len(jobs)}, {minutes:.0f} min]"
                print(f"{count} {job}: {said}", flush=True)
        return failed

    def work(self, options, jobs):
        """Do what a command is asked for: fits, the documentation or both.

        Parameters
        ----------
        options : argparse.Namespace
            With those of ``add_options``.
        jobs : list of Job
            Those that are done already are not run again.
        """
        if options.page:
            self.document()
            return
        # a kill, like Ctrl-C, ends the processes of the fits, too
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
        try:
            failed = self._work(options, jobs)
        except KeyboardInterrupt:
            sys.exit(STOPPED)
        if failed:
            sys.exit(f"{len(failed)} failed: {'; '.join(map(str, failed))}")

    def _work(self, options, jobs):
        fit = partial(self.fit, device=options.device)
        if options.quick:
            return self.run(jobs, None, options.jobs, partial(fit, quick=True))
        left = self.pending(jobs, self.path)
        print(f"{len(jobs) - len(left)} of {len(jobs)} fits are done already.")
        failed = self.run(left, self.path, options.jobs, fit)
        self.document()
        return failed


def said_of(figures):
    """Return the figures of a fit in a line."""
    named = {"AU(PRC)": "au_prc", "path": "path"}
    scores = [
        f"{name} {figures[key]:.4f}"
        for name, key in named.items()
        if figures.get(key) is not None
    ]
    hvr = f"HVR {figures['hvr_raw']:.3f} to {figures['hvr']:.3f}"
    cost = f"{figures['seconds']:.1f} s, {figures['peak_gb']:.2f} GB"
    return ", ".join([*scores, hvr, cost])


# -- the documentation -----------------------------------------------------------------


def said_of_runs(found, planned):
    """Return how many fits there are, what they cost and where they were made.

    Parameters
    ----------
    found : dict
        Results with the runs to speak of.
    planned : list of Job
    """
    runs = found["runs"]
    fit, whole = (
        sum(run[key] for run in runs) / 3600 for key in ("cpu_seconds", "job_seconds")
    )
    lines = [
        f"{len(runs)} fits are in these tables; {len(planned)} are planned. Fitting "
        f"took {fit:.1f} hours of processor time. With loading and scoring, the "
        f"processes ran for {whole:.1f} hours together.\n",
        said_of_two_cores(found, planned),
    ]
    several = changed_rows(runs)
    if several:
        lines.append(
            f"Fitted with other parameters to some data sets than to others, since "
            f"they were changed in between: {', '.join(several)}.\n"
        )
    made = Counter(run["environment"] for run in runs)
    for k, number in sorted(made.items()):
        place = found["environments"][k]
        parts = [place["cpu"], f"{place['cores']} cores"]
        parts += [place["gpu"]] if "gpu" in place else []
        parts += [f"{name} {version}" for name, version in place["versions"].items()]
        lines.append(f"{number} were made on {', '.join(parts)}.\n")
    return lines


def said_of_two_cores(found, planned):
    """Return how long all planned fits take on two cores, by those made on such."""
    known = {}
    for run in results.timed(found):
        if run["job_seconds"] is not None:
            cell = known.setdefault((run["row"], run["data_set"]), [])
            cell.append(run["job_seconds"])
    cells = [(job.row, job.data_set) for job in planned]
    means = [fmean(known[cell]) for cell in cells if cell in known]
    hours, left_out = sum(means) / results.CORES / 3600, len(planned) - len(means)
    if not means:
        return ""
    fits = f"{len(means)} of {len(planned)} planned fits" if left_out else "All fits"
    said = (
        f"{fits} take {hours:.1f} hours on {results.CORES} cores, as many at a time, "
        f"by the mean times of those of the same row and data set that were made so."
    )
    if left_out:
        said += " Of the others, none was made so."
    return f"{said}\n"


def changed_rows(runs):
    """Return the rows that have several definitions for one kind of data."""
    found = {}
    for one in runs:
        key = one["row"], KINDS[one["data_set"]]
        found.setdefault(key, set()).add(one["fingerprint"])
    return sorted({row for (row, _), names in found.items() if len(names) > 1})


# -- the options of a command ----------------------------------------------------------


def add_options(parser):
    """Add the options that say how much is fitted and how."""
    parser.add_argument("--seeds", type=int, help="for rows that seeds change")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time")
    parser.add_argument("--device", default="cpu", help="of the networks of skhmc")
    parser.add_argument("--quick", action="store_true", help="writes nothing")
    parser.add_argument("--page", action="store_true", help="fits nothing")
