"""The collectors that driftline brings; `extensions` registers them as it does a plugin's."""

from __future__ import annotations

from driftline.profiles.categories import CategoryCollector
from driftline.profiles.labelled_sample import LabelledSampleCollector, LossSampleCollector
from driftline.profiles.labels import LabelCollector
from driftline.profiles.numeric import NumericCollector
from driftline.profiles.prediction_errors import PredictionErrorCollector
from driftline.profiles.profile import Collectors
from driftline.profiles.sample import RawSampleCollector, SampleCollector
from driftline.profiles.scores import ScoreCollector
from driftline.profiles.sizes import SizeCollector
from driftline.profiles.tallies import ExpressionCollector

BUILT_IN: Collectors = {
    collector.name: collector
    for collector in (
        NumericCollector,
        CategoryCollector,
        ScoreCollector,
        SampleCollector,
        RawSampleCollector,
        LabelledSampleCollector,
        LossSampleCollector,
        LabelCollector,
        PredictionErrorCollector,
        ExpressionCollector,
        SizeCollector,
    )
}
"""By name."""
