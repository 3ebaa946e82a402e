"""Invented genes, measured in experiments and annotated with terms of an ontology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skhmc._utils.optional import import_optional
from skhmc.coherence import close_upward
from skhmc.datasets._annotations import read_annotations
from skhmc.hierarchy import Hierarchy

__all__ = ["load_made_genes"]

FOLDER = Path(__file__).parent / "data"
ONTOLOGY = FOLDER / "made_genes.obo"
ANNOTATIONS = FOLDER / "made_genes.tsv"
MEASUREMENTS = FOLDER / "made_genes.csv"
DESCR = """\
Invented genes, made for examples
---------------------------------

600 genes that do not exist, in the three files that work on real genes starts from: an
ontology (OBO), annotations (a table of genes and terms) and measurements of 30
experiments. The ontology has 38 terms in two namespaces, "process" and "place", with
the relations is_a and part_of, an alternative id and an obsolete term. A gene has one
to three terms; some terms are frequent, many are rare. Each term adds a number, drawn
from a normal distribution of variance 1, to what an experiment measures. So do the
terms above it. The noise has a standard deviation of 2.

Written and drawn for skhmc, under its licence. Nothing here is knowledge of biology;
names that are those of real genes are so by chance.
"""


def load_made_genes(
    *, return_X_y: bool = False, as_frame: bool = False
) -> Bunch | tuple[Any, Any]:
    """Load invented genes with measurements and terms of a small ontology.

    Made for examples: they have the files and the form of work on real genes, and say
    nothing about biology. The files are included, so that nothing is downloaded.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` only.
    as_frame : bool, default=False
        Whether ``data`` and ``target`` are pandas DataFrames, with the names of the
        genes as index.

    Returns
    -------
    Bunch or tuple (data, target)
        data : ndarray or DataFrame of shape (600, 30), float64
            Measurements.
        target : ndarray or DataFrame of shape (600, 38), int
            Indicators of the annotated terms and of those above them.
        frame : DataFrame of shape (600, 68)
            ``data`` and ``target`` side by side; only with ``as_frame=True``.
        hierarchy : Ontology
            Terms, whose ids are the columns of ``target``. It has their names, too.
        annotations : list of list of str
            The ids of each gene's terms as they are annotated, without those above.
        label_names : list of str
            Ids of the terms: ``"MADE:0001"`` and so on.
        target_names : list of str
            Names of the terms, in the same order: ``"transport"`` and so on.
        feature_names : list of str
            ``"experiment 1"`` to ``"experiment 30"``.
        sample_names : list of str
            Names of the genes.
        train, test : ndarray of int
            Row positions. The rows are independent, so every third one is a test row.
        eval_mask : ndarray of shape (38,), bool
            All True: no label is left out of scores.
        ontology_filename, annotations_filename, data_filename : str
            The files: OBO, a table of genes and terms separated by a tab, and CSV.
        DESCR : str
            A description.

    Raises
    ------
    ImportError
        When ``as_frame=True`` and pandas is not installed.

    See Also
    --------
    skhmc.Hierarchy.from_obo : Read an ontology of one's own.
    read_annotations : Read annotations of one's own.

    Examples
    --------
    >>> from skhmc.datasets import load_made_genes
    >>> genes = load_made_genes()
    >>> genes.data.shape, genes.hierarchy
    ((600, 30), Ontology(38 labels, 36 edges, DAG of depth 3))
    >>> genes.sample_names[0], genes.annotations[0]
    ('vago-4', ['MADE:0027', 'MADE:0020', 'MADE:0038'])
    >>> genes.hierarchy.names["MADE:0020"]
    'response to cold'
    >>> genes.target[0].sum() - len(genes.annotations[0])  # terms above these
    np.int64(5)
    """
    ontology = Hierarchy.from_obo(ONTOLOGY)
    table = read_annotations(ANNOTATIONS, hierarchy=ontology)
    n_genes = len(table.samples)
    data = np.loadtxt(MEASUREMENTS, delimiter=",", skiprows=1, usecols=range(1, 31))
    target = np.zeros((n_genes, ontology.n_labels), dtype=int)
    for row, terms in enumerate(table.labels):
        target[row, [ontology.position(term) for term in terms]] = 1
    target = close_upward(target, ontology)
    feature_names = [f"experiment {k}" for k in range(1, 31)]
    frames = {}
    if as_frame:
        pandas = import_optional("pandas", "load_made_genes(as_frame=True)", "scale")
        genes = pandas.Index(table.samples, name="gene")
        data = pandas.DataFrame(data, genes, feature_names)
        target = pandas.DataFrame(target, genes, list(ontology.labels))
        frames["frame"] = pandas.concat([data, target], axis=1)
    if return_X_y:
        return data, target
    in_test = np.arange(n_genes) % 3 == 2
    return Bunch(
        data=data,
        target=target,
        **frames,
        hierarchy=ontology,
        annotations=table.labels,
        label_names=list(ontology.labels),
        target_names=[ontology.names[term] for term in ontology.labels],
        feature_names=feature_names,
        sample_names=table.samples,
        train=np.flatnonzero(~in_test),
        test=np.flatnonzero(in_test),
        eval_mask=np.ones(ontology.n_labels, dtype=bool),
        ontology_filename=str(ONTOLOGY),
        annotations_filename=str(ANNOTATIONS),
        data_filename=str(MEASUREMENTS),
        DESCR=DESCR,
    )
