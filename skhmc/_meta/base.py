"""What estimators around another classifier have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from skhmc._meta.out_of_fold import is_number_of_folds, read_cv
from skhmc._scoring.subset_accuracy import subset_accuracy

__all__ = ["MetaClassifierMixin"]


class MetaClassifierMixin(MetaEstimatorMixin):
    """Mixin of estimators that fit the classifier ``estimator`` and hold it fitted.

    A subclass has the parameter ``estimator`` and, where it splits the training data,
    ``cv``. Its ``fit`` sets ``estimator_``, perhaps to None, and ``classes_``.
    """

    @property
    def n_features_in_(self) -> int:
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        return self.estimator_.feature_names_in_

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of samples whose known labels are all predicted right."""
        return subset_accuracy(self, X, y, sample_weight)

    def get_metadata_routing(self) -> Any:
        """Return the metadata that ``fit`` passes to the estimator and the splitter.

        Returns
        -------
        MetadataRouter
            Scikit-learn's description of requests.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        fit = MethodMapping().add(caller="fit", callee="fit")
        router.add(estimator=self.estimator, method_mapping=fit)
        if hasattr(self, "cv"):
            split = MethodMapping().add(caller="fit", callee="split")
            cv = self.cv
            if is_number_of_folds(cv) or isinstance(cv, str):  # "prefit"
                cv = read_cv(None, grouped=True)  # which asks for groups
            router.add(splitter=cv, method_mapping=split)
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        tags.target_tags.single_output = inner.target_tags.single_output
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        return tags
