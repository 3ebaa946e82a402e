"""Seconds of the max constraint, beside a matrix product and the dense formulation."""

import numpy as np
import torch

from benchmarks.speed_parts.common import found, interleave, paired, ratio_cell
from benchmarks.speed_parts.data import draw_labels, load, make_hierarchy
from skhmc._scoring.label_form import ManyPaths
from skhmc.nn.coherence import MaxConstraint
from skhmc.nn.losses import MCLoss, bce

__all__ = ["dense", "goals", "measure", "tables"]

BATCH, WIDTH = 64, 1000
DENSE_BATCHES = {499: 64, 4125: 4}  # of the dense formulation: what fits into memory
DENSE_GOALS = {499: 100, 4125: 500}
LARGE = 40_000


def measure(settings):
    """Measure forward and backward at every size, for a tree and a DAG."""
    rows = []
    for source, hierarchy in cases(settings.quick):
        row = compare(hierarchy, settings)
        names = {"source": source, "labels": hierarchy.n_labels}
        rows.append(names | {"tree": hierarchy.is_tree} | row)
    return rows


def cases(quick):
    """Yield where a hierarchy is from, and the hierarchy in the networks' order."""
    funcat = load("cellcycle_FUN").hierarchy
    yield "FunCat, cellcycle", in_level_order(funcat)
    yield "made", in_level_order(make_hierarchy(funcat.n_labels, tree=False))
    if quick:
        return
    ontology = load("cellcycle_GO").hierarchy
    yield "made", in_level_order(make_hierarchy(ontology.n_labels, tree=True))
    yield "Gene Ontology, cellcycle", in_level_order(ontology)
    for tree in (True, False):
        yield "made", in_level_order(make_hierarchy(LARGE, tree=tree))


def in_level_order(hierarchy):
    """Return the hierarchy as networks have it."""
    return ManyPaths(hierarchy).hierarchy


def both_ways(function, *inputs):
    """Return a function of no arguments that runs forward and backward."""
    grad = torch.ones_like(function(*inputs).detach())

    def run():
        for tensor in inputs:
            tensor.grad = None
        function(*inputs).backward(grad)

    return run


def compare(hierarchy, settings):
    """Return the figures of one hierarchy."""
    device, n_labels = settings.device, hierarchy.n_labels
    generator = torch.Generator().manual_seed(settings.seed)

    def normal(*shape):
        values = torch.randn(shape, generator=generator).to(device)
        return values.requires_grad_()

    constraint = MaxConstraint(hierarchy).to(device)
    scores, x, weight = normal(BATCH, n_labels), normal(BATCH, WIDTH), None
    weight = normal(n_labels, WIDTH)
    Y = torch.from_numpy(draw_labels(hierarchy, BATCH).toarray()).to(device)
    loss = MCLoss(constraint)
    functions = {
        "constraint": both_ways(constraint, scores),
        "product": both_ways(lambda x, w: x @ w.t(), x, weight),
        "mcloss": both_ways(lambda s: loss(s, Y), scores),
        "bce": both_ways(lambda s: bce(s, Y), scores),
    }
    seconds = interleave(functions, settings.pick(15, 5), device)
    row = {"steps": constraint.n_levels, "edges": len(hierarchy.edges)}
    row |= {name: float(np.median(values)) for name, values in seconds.items()}
    row |= {
        f"{name}_ratio": paired(seconds[name], seconds["product"])
        for name in ("constraint", "mcloss", "bce")
    }
    return row | beside_dense(hierarchy, constraint, settings)


def beside_dense(hierarchy, constraint, settings):
    """Return how many times faster the sweep is than the dense formulation."""
    n_labels = hierarchy.n_labels
    if n_labels not in DENSE_BATCHES:
        return {}
    small = DENSE_BATCHES[n_labels]
    generator = torch.Generator().manual_seed(settings.seed)
    scores = torch.rand((BATCH, n_labels), generator=generator).to(settings.device)
    whole = scores.clone().requires_grad_()
    part = scores[:small].clone().requires_grad_()
    members = members_of(hierarchy).to(settings.device)
    functions = {
        "sweep": both_ways(constraint, whole),
        "dense": both_ways(lambda s: dense(s, members), part),
    }
    seconds = interleave(functions, settings.pick(5, 2), settings.device)
    scaled = np.array(seconds["dense"]) * (BATCH / small)
    ratios = paired(scaled, seconds["sweep"])
    return {"dense": float(np.median(scaled)), "dense_batch": small} | {
        "dense_ratio": ratios
    }


def members_of(hierarchy):
    """Return a 0/1 matrix: what is below every label, itself included."""
    below = hierarchy.descendants.toarray()
    np.fill_diagonal(below, True)
    return torch.from_numpy(below.astype(np.float32))


def dense(scores, members):
    """Raise scores (B, L), none of them negative, by a product of shape (B, L, L)."""
    return (members * scores[:, None, :]).max(dim=2).values


def tables(rows):
    """Return the tables of the constraint and of the dense formulation."""
    heads = ["labels", "hierarchy", "steps", "constraint, ms", "product, ms"]
    heads += ["constraint / product", "MCLoss / product", "BCE / product"]
    cells = []
    for row in rows:
        ms = [f"{1000 * row[k]:.2f}" for k in ("constraint", "product")]
        ratios = [row[f"{k}_ratio"] for k in ("constraint", "mcloss", "bce")]
        cells.append([*names(row), row["steps"], *ms, *map(ratio_cell, ratios)])
    title = f"Forward and backward, {BATCH} samples; the product is {WIDTH} → labels"
    slow = [
        [*names(r), f"{1000 * r['constraint']:.2f}", f"{1000 * r['dense']:,.0f}"]
        + [r["dense_batch"], ratio_cell(r["dense_ratio"])]
        for r in rows
        if "dense" in r
    ]
    slow_heads = ["labels", "hierarchy", "constraint, ms", "dense, ms"]
    slow_heads += ["dense measured with", "times faster"]
    beside = f"The dense formulation, scaled to {BATCH} samples"
    return [(title, heads, cells), (beside, slow_heads, slow)]


def names(row):
    """Return the first cells of a row."""
    kind = "tree" if row["tree"] else "DAG"
    return [f"{row['labels']:,}", f"{kind}, {row['source']}"]


def goals(rows):
    """Return what was to be reached, and what was."""
    lines = []
    peer = f"one {WIDTH} → labels matrix product, both ways"
    for n in sorted({row["labels"] for row in rows}):
        here = [r for r in rows if r["labels"] == n]
        ratios = [row["constraint_ratio"]["ratio"] for row in here]
        what = f"max constraint, forward and backward, {n:,} labels"
        lines.append([what, peer, "≤ 1.0×", found(ratios, 1)])
    for n, goal in DENSE_GOALS.items():
        ratios = [r["dense_ratio"]["ratio"] for r in rows if r["labels"] == n]
        if ratios:
            what, reached = f"the same, {n:,} labels", found(ratios, goal, True)
            peer = "the dense (B, L, L) formulation"
            lines.append([what, peer, f"≥ {goal}× faster", reached])
    return lines
