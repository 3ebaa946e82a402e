"""
Coherent at every threshold
===========================

Handwritten digits, labelled with properties of the number they show: an odd prime is
odd and prime. A network that scores every label by itself says "odd prime" now and then
without "prime". How often depends on the threshold; coherent probabilities never do so,
at any threshold, and are about as good.

"""

import matplotlib.pyplot as plt
import numpy as np

from skhmc import HCALClassifier
from skhmc.datasets import load_digit_properties
from skhmc.metrics import hierarchical_f1_score, hierarchical_violation_rate

# %%
# The labels are a directed acyclic graph: some have several parents.

digits = load_digit_properties()
print(digits.hierarchy)
print("digit 9:", ", ".join(digits.hierarchy.ancestors_of("digit 9")))

# %%
# One fit gives both: ``coherence=None`` shows the scores before the coherence step, and
# can be switched without a new fit.

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
# The hierarchical violation rate (HVR) is the share of samples with a label whose
# parent is not predicted. Beside it stands the hierarchical F1, for a rate of 0 alone
# says nothing.

thresholds = np.linspace(0.05, 0.95, 19)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for name, proba in probabilities.items():
    predicted = [(proba > threshold).astype(int) for threshold in thresholds]
    hvr = [hierarchical_violation_rate(y, digits.hierarchy) for y in predicted]
    f1 = [hierarchical_f1_score(Y, y, digits.hierarchy, close=False) for y in predicted]
    left.plot(thresholds, hvr, marker=".", label=name)
    right.plot(thresholds, f1, marker=".", label=name)
left.set(xlabel="threshold", ylabel="hierarchical violation rate")
right.set(xlabel="threshold", ylabel="hierarchical F1")
left.legend()
plt.show()
