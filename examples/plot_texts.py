"""
Texts in a Pipeline
===================

Texts become numbers in a Pipeline, as always in scikit-learn. The matrix that
``TfidfVectorizer`` makes is sparse and stays so. Each new sentence gets a probability
for each topic, and no topic is more probable than the one above it.

"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skhmc import Hierarchy, MaxConstraintClassifier
from skhmc.preprocessing import HierarchicalLabelBinarizer

# %%
# Training texts are made up of eight words: three of their topic, and five that say
# nothing.

WORDS = {
    "sport/football": "goal referee penalty striker keeper pitch league kick",
    "sport/tennis": "racket serve net umpire volley court set backhand",
    "science/space": "rocket orbit planet telescope moon launch star comet",
    "science/biology": "cell gene protein enzyme species plant bacteria tissue",
}
COMMON = "the a new after before today match study team result year first".split()
rng = np.random.default_rng(0)
texts, topics = [], []
for topic, words in WORDS.items():
    for _ in range(60):
        own = rng.choice(words.split(), 3)
        texts.append(" ".join(rng.permutation([*own, *rng.choice(COMMON, 5)])))
        topics.append([topic])
print(texts[0])

# %%
# The target has a list of topics for each text, here its most special one. The
# binarizer adds the topics above.

hierarchy = Hierarchy.from_paths(WORDS)
binarizer = HierarchicalLabelBinarizer(hierarchy)
Y = binarizer.fit_transform(topics)
model = make_pipeline(
    TfidfVectorizer(),
    MaxConstraintClassifier(
        hierarchy, hidden_layer_sizes=(32,), learning_rate_init=0.01, random_state=0
    ),
)
model.fit(texts, Y)

# %%
# New sentences. The last one has words of two topics.

new = [
    "the keeper saved a penalty",
    "a backhand into the net",
    "the rocket is in orbit",
    "a gene of this plant",
    "the moon over the tennis court",
]
proba = model.predict_proba(new)
for text, names in zip(
    new, binarizer.inverse_transform(model.predict(new)), strict=True
):
    print(f"{text}: {', '.join(names)}")

# %%
# A row is a sentence, a column is a topic: dark is probable.

plt.rcParams.update({"font.size": 13})
figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
ax.imshow(proba, cmap="Blues", vmin=0, vmax=1, aspect="auto")
for (row, column), value in np.ndenumerate(proba):
    colour = "white" if value > 0.6 else "black"
    ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
columns = [name.replace("/", "/\n") for name in hierarchy.labels]
ax.set_xticks(range(len(columns)), columns)
ax.set_yticks(range(len(new)), new)
ax.xaxis.tick_top()
plt.show()
