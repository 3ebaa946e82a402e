"""
Coherent at every threshold
===========================

Handwritten digits have labels that say what is true of the number: a 7 is odd, prime
and an odd prime. A network that scores each label by itself sometimes predicts "odd
prime" without "prime", above all after a short training. How often depends on the
threshold. With coherent probabilities it never happens, at any threshold, and F1 at 0.5
is not lower.

"""

import matplotlib.pyplot as plt
import numpy as np

from skhmc import HCALClassifier
from skhmc.datasets import load_digit_properties
from skhmc.metrics import hierarchical_f1_score, hierarchical_violation_rate

# %%
# One fit gives both. ``coherence=None`` shows the scores before the coherence step, and
# can be changed without a new fit.

digits = load_digit_properties()
clf = HCALClassifier(
    digits.hierarchy, hidden_layer_sizes=(200,), max_iter=15, random_state=0
)
clf.fit(digits.data[digits.train] / 16, digits.target[digits.train])
X, Y = digits.data[digits.test] / 16, digits.target[digits.test]
probabilities = {
    "raw": clf.set_params(coherence=None).predict_proba(X),
    "coherent": clf.set_params(coherence="auto").predict_proba(X),
}

# %%
# An image is counted when at least one of its predicted labels lacks a parent.

thresholds = np.linspace(0.05, 0.95, 19)
violations = {
    name: [
        hierarchical_violation_rate((proba > threshold).astype(int), digits.hierarchy)
        for threshold in thresholds
    ]
    for name, proba in probabilities.items()
}
for name, proba in probabilities.items():
    predicted = (proba > 0.5).astype(int)
    f1 = hierarchical_f1_score(Y, predicted, digits.hierarchy, close=False)
    print(f"{name}: at most {max(violations[name]):.1%} of the images violate the")
    print(f"  hierarchy; F1 at the threshold 0.5: {f1:.3f}")

# %%
# The line of the coherent probabilities lies on 0.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
for name, colour in [("raw", "#d55e00"), ("coherent", "#00875f")]:
    percent = 100 * np.array(violations[name])
    ax.plot(thresholds, percent, lw=3, marker="o", color=colour, label=name)
ax.set(xlabel="threshold", ylabel="images with a violation (%)")
ax.legend(fontsize=18)
ax.grid(alpha=0.3)
plt.show()
