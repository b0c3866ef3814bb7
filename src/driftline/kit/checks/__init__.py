"""What several checks share, and the less common names of the check contract."""

from driftline.contracts.chart import Chart
from driftline.contracts.check import ColumnName, ColumnNames, PastValue, Worth
from driftline.contracts.classic_rules import Cusum, Ewma, PValue, Shewhart, Sigma
from driftline.contracts.imported_checks import ImportedChecks
from driftline.contracts.metric import SampledRows
from driftline.contracts.rule import Bounds, Range, Unusual
from driftline.contracts.wording import Wording
from driftline.profiles.canonical_value import canonical_value
from driftline.profiles.spec import ProfileSpec
from driftline.profiles.window import Labels, RegressionSums, Scores
from driftline.types import phrasing, plain_words
from driftline.types.model import Decision, Judgement, Task
from driftline.types.settings import Settings

__all__ = [
    "Bounds",
    "Chart",
    "ColumnName",
    "ColumnNames",
    "Cusum",
    "Decision",
    "Ewma",
    "ImportedChecks",
    "Judgement",
    "Labels",
    "PValue",
    "PastValue",
    "ProfileSpec",
    "Range",
    "RegressionSums",
    "SampledRows",
    "Scores",
    "Settings",
    "Shewhart",
    "Sigma",
    "Task",
    "Unusual",
    "Wording",
    "Worth",
    "canonical_value",
    "phrasing",
    "plain_words",
]
