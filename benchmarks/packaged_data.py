"""Make the data sets that are files of the package, in ``skhmc/datasets/data``.

    python -m benchmarks.packaged_data [FOLDER]

Intents are a part of CLINC150, read from the data home. Genes are invented: the terms
stand here, the rest is drawn from a seed. The same bytes come out each time, where
``gzip`` compresses alike; ``tests/test_packaged_data.py`` compares them.
"""

import csv
import gzip
import io
import re
import sys
from pathlib import Path

import numpy as np

import skhmc
from benchmarks.npz_sets import load_npz_set

__all__ = ["main", "make_intents", "make_made_genes"]

FOLDER = Path(skhmc.__file__).parent / "datasets" / "data"

# -- intents ---------------------------------------------------------------------------

N_TEXTS = {"train": 40, "test": 20}  # per intent, of 100 and 30
# "#" begins a comment of the file; the others are no words for a package
LEFT_OUT = ("#", "shit")
ATTRIBUTION = """\
# Questions and commands to a voice assistant, with their intent: a part of CLINC150.
# Authors: Stefan Larson, Anish Mahendran, Joseph J. Peper, Christopher Clarke, Andrew
#   Lee, Parker Hill, Jonathan K. Kummerfeld, Kevin Leach, Michael A. Laurenzano,
#   Lingjia Tang and Jason Mars.
# Title: An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction
#   (EMNLP-IJCNLP 2019).
# Source: https://github.com/clinc/oos-eval, data/data_full.json and domains.json,
#   commit 828f8093932c8fe6ca7936c3d2e52903b1c523de.
# Licence: Creative Commons Attribution 3.0 Unported (CC BY 3.0),
#   https://creativecommons.org/licenses/by/3.0/. The authors give no warranty, and do
#   not endorse skhmc or this use.
# Changes: of each of the 150 intents, 40 of 100 training texts and 20 of 30 test texts
#   are kept, evenly spaced in the order of the source, after texts with "#" or a swear
#   word were left out. No validation texts and no out-of-scope texts. An intent is
#   written after its domain, "banking > pay bill", with spaces for "_". The texts are
#   as they were.
"""


def make_intents(folder):
    """Write ``intents.csv.gz``: text, intent and part of 9000 rows."""
    data = load_npz_set("clinc150")
    names = np.array([_intent(name) for name in data.label_names], dtype=object)
    # domains come before intents, so that the last label of a row is its intent
    deepest = np.array([row.indices.max() for row in data.target])
    file = io.StringIO()
    file.write(ATTRIBUTION)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["text", "intent", "part"])
    for part, n_texts in N_TEXTS.items():
        rows = [row for row in data[part] if _is_kept(data.texts[row])]
        for label in np.unique(deepest):
            own = [row for row in rows if deepest[row] == label]
            for k in range(n_texts):
                text = data.texts[own[k * len(own) // n_texts]]
                writer.writerow([text, names[label], part])
    _write_gzip(folder / "intents.csv.gz", file.getvalue())
    beside = re.sub(r"^# ", "", ATTRIBUTION, flags=re.M)
    _write(folder / "intents.LICENSE.txt", beside)


def _intent(name):
    """Return "banking > pay bill" for "banking/pay_bill"."""
    return name.replace("/", " > ").replace("_", " ")


def _is_kept(text):
    return not any(part in text for part in LEFT_OUT)


def _write_gzip(path, text):
    # no name and no time in the file, so that its bytes are the same each time
    with open(path, "wb") as raw:
        with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
            packed.write(text.encode())


# -- genes -----------------------------------------------------------------------------

# term: the terms that it is a kind of; "part of X" says that it is a part of X instead
PROCESSES = {
    "transport": [],
    "transport of ions": ["transport"],
    "transport of iron": ["transport of ions"],
    "transport of copper": ["transport of ions"],
    "transport of sugar": ["transport"],
    "growth": [],
    "growth of roots": ["growth"],
    "growth of root hairs": ["growth", "part of growth of roots"],
    "growth of leaves": ["growth"],
    "growth of flowers": ["growth"],
    "ripening": ["growth of flowers"],
    "signalling": [],
    "signalling by light": ["signalling"],
    "signalling by hormones": ["signalling"],
    "response": [],
    "response to light": ["response", "part of signalling by light"],
    "response to shade": ["response to light"],
    "response to stress": ["response"],
    "response to heat": ["response to stress"],
    "response to cold": ["response to stress"],
    "response to drought": ["response to stress"],
    "closing of pores": ["part of response to drought", "signalling by hormones"],
    "response to lack of iron": ["response to stress", "transport of iron"],
    "metabolism": [],
    "metabolism of sugar": ["metabolism"],
    "making of sugar": ["metabolism of sugar"],
    "making of starch": ["making of sugar"],
    "breakdown of sugar": ["metabolism of sugar"],
    "metabolism of lipids": ["metabolism"],
    "making of wax": ["metabolism of lipids", "part of response to drought"],
}
PLACES = {
    "membrane": [],
    "outer membrane": ["membrane"],
    "nucleus": [],
    "membrane of the nucleus": ["membrane", "part of nucleus"],
    "plastid": [],
    "membrane of the plastid": ["membrane", "part of plastid"],
    "starch grain": ["part of plastid"],
    "cell wall": [],
}
TERMS = PROCESSES | PLACES
PART_OF = "part of "
# what else OBO has: an alternative id, which some annotations use, and an obsolete term
RENAMED = "closing of pores"
ALTERNATIVE = "MADE:0101"
OBO_HEAD = """\
format-version: 1.2
ontology: made
remark: Made for the examples of skhmc. Terms and relations are simplified.
"""
OBO_END = """
[Term]
id: MADE:0102
name: obsolete unfolding of leaves
namespace: process
is_obsolete: true
replaced_by: {}
"""
N_GENES = 600
N_EXPERIMENTS = 30
NOISE = 2.0  # standard deviation of a measurement; 1 is that of what one term adds


def make_made_genes(folder):
    """Write the ontology, the annotations and the measurements of invented genes."""
    ids = {name: f"MADE:{number:04d}" for number, name in enumerate(TERMS, 1)}
    stanzas = [_stanza(name, ids) for name in TERMS]
    end = OBO_END.format(ids["growth of leaves"])
    _write(folder / "made_genes.obo", "".join([OBO_HEAD, *stanzas, end]))
    rng = np.random.RandomState(0)  # whose stream never changes
    annotated = {gene: _draw_terms(rng) for gene in _gene_names(rng)}
    _write_annotations(folder / "made_genes.tsv", annotated, ids, rng)
    _write_measurements(folder / "made_genes.csv", annotated, rng)


def _write_annotations(path, annotated, ids, rng):
    """Write a table of genes and terms; a tenth of the genes have older ids."""
    lines = ["gene\tterm\n"]
    for gene, names in annotated.items():
        old = {RENAMED: ALTERNATIVE} if rng.uniform() < 0.1 else {}
        lines += [f"{gene}\t{(ids | old)[name]}\n" for name in names]
    _write(path, "".join(lines))


def _write_measurements(path, annotated, rng):
    """Write a table of genes and experiments: what all terms add, and noise."""
    adds = dict(
        zip(TERMS, rng.standard_normal((len(TERMS), N_EXPERIMENTS)), strict=True)
    )
    lines = [",".join(["gene", *(f"experiment {k + 1}" for k in range(N_EXPERIMENTS))])]
    for gene, names in annotated.items():
        mean = sum(adds[term] for term in TERMS if term in _with_ancestors(names))
        measured = mean + NOISE * rng.standard_normal(N_EXPERIMENTS)
        lines.append(",".join([gene, *(f"{value:.2f}" for value in measured)]))
    _write(path, "\n".join(lines) + "\n")


def _with_ancestors(names):
    """Return terms and all that are above them."""
    found = set(names)
    for name in names:
        found |= _with_ancestors([above.removeprefix(PART_OF) for above in TERMS[name]])
    return found


def _stanza(name, ids):
    """Return the lines that OBO has for a term."""
    namespace = "process" if name in PROCESSES else "place"
    lines = ["", "[Term]", f"id: {ids[name]}", f"name: {name}"]
    lines.append(f"namespace: {namespace}")
    if name == RENAMED:
        lines.append(f"alt_id: {ALTERNATIVE}")
    for above in TERMS[name]:
        parent = above.removeprefix(PART_OF)
        relation = "is_a:" if parent == above else "relationship: part_of"
        lines.append(f"{relation} {ids[parent]} ! {parent}")
    return "\n".join(lines) + "\n"


def _gene_names(rng):
    """Return different names such as "tobi-3"."""
    names = {}  # a dict is a set in order
    while len(names) < N_GENES:
        first, second = (
            rng.choice(list("bdfgklmnprstvz")) + rng.choice(list("aeiou"))
            for _ in range(2)
        )
        names[f"{first}{second}-{rng.randint(1, 10)}"] = None
    return list(names)


def _draw_terms(rng):
    """Return one to three terms of a gene, the most specific that are known of it."""
    names = _draw(list(PROCESSES), 1 + rng.randint(2), rng)
    if rng.uniform() < 0.6:
        names += _draw(list(PLACES), 1, rng)
    return names


def _draw(names, n_drawn, rng):
    """Draw terms; some are frequent, many are rare, and few have others below them."""
    above = {line.removeprefix(PART_OF) for name in TERMS for line in TERMS[name]}
    rank = np.random.RandomState(1).permutation(len(names))
    weights = np.where([name in above for name in names], 0.1, 1) / (3 + rank)
    return list(rng.choice(names, n_drawn, replace=False, p=weights / weights.sum()))


def _write(path, text):
    path.write_bytes(text.encode())  # the same ends of lines on all systems


def main(folder=FOLDER):
    folder = Path(folder)
    make_intents(folder)
    make_made_genes(folder)
    for path in sorted(folder.iterdir()):
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
