"""Metrics of the classes of a model: of predicted sets, and of probabilities of several classes.

A metric that does not exist has no value, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from driftline import stats
from driftline.kit.checks.score_metrics import MIN_LABELS_OF_CLASS
from driftline.profiles.window import ClassProbabilities, LabelSets, Scores
from driftline.stats.basics.estimate import Estimate, logit_interval
from driftline.stats.performance.classification import Average

ScoresMetric = Callable[[Scores], Estimate]
DEFAULT_K = 2
"""Likeliest classes that count."""
CLASSES = 50
"""Classes that have metrics of their own: the most frequent ones."""
NO_ROWS = "no labelled rows"


def subset_accuracy(s: Scores) -> Estimate:
    """Share of rows whose predicted and true set of classes are equal."""
    return stats.rate(s.label_sets.exact, s.label_sets.n, NO_ROWS)


def hamming_loss(s: Scores) -> Estimate:
    """Share of pairs of row and class that are wrong."""
    sets = s.label_sets
    return _whole(sets) or stats.hamming_loss(sets.n, sets.wrong, sets.wrong2, sets.classes)


def jaccard(s: Scores) -> Estimate:
    """Mean over rows of the classes in both sets over those in either."""
    return stats.jaccard_of_rows(s.label_sets.jaccard)


def micro(metric: Average) -> ScoresMetric:
    """Return a metric of all pairs of row and class; of single classes it is the accuracy."""

    def estimate(s: Scores) -> Estimate:
        sets = s.label_sets
        if s.confusion:
            return stats.accuracy(s.confusion)
        sums = stats.SetSums(
            n=sets.n,
            tp=sets.tp,
            predicted=sets.predicted,
            labelled=sets.labelled,
            tp_tp=sets.tp_tp,
            tp_predicted=sets.tp_predicted,
            tp_labelled=sets.tp_labelled,
            predicted2=sets.predicted2,
            labelled2=sets.labelled2,
            both=sets.both,
        )
        return stats.micro(sums, metric)

    return estimate


def average(metric: Average, of_classes: ScoresMetric, *, weighted: bool = False) -> ScoresMetric:
    """Return the mean over classes; `of_classes` is that of a model that predicts one class."""

    def estimate(s: Scores) -> Estimate:
        sets = s.label_sets
        if not sets.n:
            return of_classes(s)
        return _whole(sets) or stats.class_average(sets.by_class, sets.n, metric, weighted=weighted)

    return estimate


def _whole(sets: LabelSets) -> Estimate | None:
    reason = "there are more classes than are counted one by one"
    return Estimate(None, reason=reason) if sets.is_cut else None


def confusion_by_class(s: Scores) -> Mapping[str, stats.Confusion]:
    """The confusion of each class against the rest, of the most frequent labels, by name."""
    sets = s.label_sets
    if sets.n:
        cells = {
            name: stats.Confusion(tp=tp, fp=fp, tn=sets.n - tp - fp - fn, fn=fn)
            for name, (tp, fp, fn) in sets.by_class.items()
        }
    else:
        names = {name for pair in s.confusion for name in pair}
        cells = {name: stats.one_against_rest(s.confusion, name) for name in names}
    frequent = sorted(cells, key=lambda name: (-(cells[name].tp + cells[name].fn), name))
    return {name: cells[name] for name in sorted(frequent[:CLASSES])}


def log_loss(s: Scores) -> Estimate:
    """Mean of -log of the probability of the true class."""
    p = s.probabilities
    return _no_probabilities(p) or stats.mean_loss(p.n, p.log_loss, p.log_loss2)


def brier(s: Scores) -> Estimate:
    """Mean over rows of the squared errors of the probabilities, summed over classes; 0 to 2."""
    p = s.probabilities
    return _no_probabilities(p) or stats.mean_loss(p.n, p.brier, p.brier2)


def top_k_accuracy(s: Scores) -> Estimate:
    """Share of rows whose true class is among the `k` likeliest; a new class is a miss."""
    p = s.probabilities
    if not p.classes:
        return Estimate(None, reason="the schema has no probabilities of classes")
    return stats.rate(int(p.ranks[: s.k or DEFAULT_K].sum()), p.n + p.unseen, NO_ROWS)


def roc_auc_ovr(s: Scores) -> Estimate:
    """Mean over classes of the area under the ROC curve of the class against the rest."""
    p = s.probabilities
    if (without := _no_probabilities(p)) is not None:
        return without
    aucs = []
    for place, name in enumerate(p.classes):
        auc = stats.roc_auc(p.negatives[place], p.positives[place], MIN_LABELS_OF_CLASS)
        if auc.value is None:
            return Estimate(None, reason=f"class {name}: {auc.reason}")
        aucs.append(auc)
    value = math.fsum(auc.value or 0.0 for auc in aucs) / len(aucs)
    se = math.sqrt(math.fsum((auc.se or 0.0) ** 2 for auc in aucs)) / len(aucs)
    return Estimate(value, se, logit_interval(value, se) if se > 0 else None, p.n)


def _no_probabilities(p: ClassProbabilities) -> Estimate | None:
    if not p.classes:
        return Estimate(None, reason="the schema has no probabilities of classes")
    if p.improper:
        rows = "row has" if p.improper == 1 else "rows have"
        reason = f"{p.improper} {rows} probabilities outside of 0 to 1, or with a sum that is not 1"
        return Estimate(None, reason=reason)
    if p.unseen:
        are = "label is" if p.unseen == 1 else "labels are"
        return Estimate(None, reason=f"{p.unseen} {are} of a class without probability")
    return None
