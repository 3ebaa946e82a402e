"""
Optuna stops trials that begin badly
====================================

``partial_fit`` trains for one epoch. So a search with Optuna can look at each trial
after each epoch, and stop it where earlier trials were better by then. Here it tries
learning rates and sizes of a network, and saves more than a third of the epochs.

"""

import matplotlib.pyplot as plt
import optuna
from sklearn.model_selection import train_test_split

from skhmc import MaxConstraintClassifier
from skhmc.datasets import load_digit_properties
from skhmc.metrics import au_prc_score

# %%
# Trials are compared on rows that are held out of the training part.

N_EPOCHS, N_TRIALS = 10, 16
digits = load_digit_properties()
X, Y = digits.data / 16, digits.target
rows, held_out = train_test_split(digits.train, test_size=0.3, random_state=0)


def train(trial):
    """Return the AU(PRC) on the held-out rows after the last epoch."""
    clf = MaxConstraintClassifier(
        digits.hierarchy,
        hidden_layer_sizes=(trial.suggest_int("n_units", 10, 200, log=True),),
        learning_rate_init=trial.suggest_float("rate", 1e-5, 1, log=True),
        random_state=0,
    )
    for epoch in range(1, N_EPOCHS + 1):
        clf.partial_fit(X[rows], Y[rows])
        score = au_prc_score(Y[held_out], clf.predict_proba(X[held_out]))
        trial.report(score, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return score


# %%
# The first four trials are never stopped: the others are measured by their median.

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
)
study.optimize(train, n_trials=N_TRIALS)
n_epochs = sum(len(trial.intermediate_values) for trial in study.trials)
print(f"trained {n_epochs} epochs, not {N_TRIALS * N_EPOCHS}")
print(f"best AU(PRC) {study.best_value:.3f} with {study.best_params}")

# %%
# Each line is a trial.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
for trial in study.trials:
    stopped = trial.state == optuna.trial.TrialState.PRUNED
    colour = "#d55e00" if stopped else "#9a9a9a"
    if trial == study.best_trial:
        colour = "#00875f"
    epochs = list(trial.intermediate_values)
    ax.plot(epochs, trial.intermediate_values.values(), color=colour, lw=3)
    ax.plot(epochs[-1], trial.intermediate_values[epochs[-1]], "o", ms=9, color=colour)
for name, colour in [("stopped", "#d55e00"), ("finished", "#9a9a9a")]:
    ax.plot([], [], color=colour, lw=3, label=name)
ax.plot([], [], color="#00875f", lw=3, label="best")
ax.set(xlabel="epoch", ylabel="AU(PRC), held out", ylim=(0, 1), xlim=(0.8, None))
ax.legend(loc="lower right")
plt.show()
