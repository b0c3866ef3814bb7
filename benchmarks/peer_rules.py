"""What other tools say of a day by their defaults: the columns that drifted, or whose missing
values did.

Each rule takes a stream and columns, reads the reference, and gives a judge: rows of a day in,
names of columns out. Evidently, NannyML and whylogs are called as installed; SageMaker's rules are
written from its documentation and from the source of Deequ, which it runs. Nothing is sent
anywhere: what the tools report home is switched off.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from streams import BASELINE, Stream

os.environ |= {
    "DO_NOT_TRACK": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
}

Judge = Callable[[pd.DataFrame], set[str]]
Rule = Callable[[Stream, Sequence[str]], Judge]


def frame(stream: Stream, number: int | None, columns: Sequence[str]) -> pd.DataFrame:
    """The rows of a window, or of the reference for None: these columns, text as objects, and
    `time`.
    """
    batch = stream.reference_batch if number is None else stream.batch(number)
    table = batch.select(list(columns)).to_pandas()
    table = table.astype({name: object for name in columns if name.startswith("c")})
    return table.assign(time=stream.span(number or 0)[0].replace(tzinfo=None))


def evidently_drift(stream: Stream, columns: Sequence[str]) -> Judge:
    """The test that a drift report chooses for each column, at its threshold; the report itself
    would draw plots as well.
    """
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    kinds = {
        name: ColumnType.Categorical if name.startswith("c") else ColumnType.Numerical
        for name in columns
    }
    rows = frame(stream, None, columns)
    reference = {name: rows[name].dropna() for name in columns}

    def has_drifted(name: str, now: pd.Series) -> bool:
        test = get_stattest(reference[name], now, kinds[name], None)
        return bool(test(reference[name], now, kinds[name], None).drifted)

    return lambda day: {name for name in columns if has_drifted(name, day[name].dropna())}


def evidently_report(stream: Stream, columns: Sequence[str]) -> Judge:
    """The same from a whole report (`DataDriftPreset` with tests), and `dataset` where it says that
    the dataset drifted.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    categorical = [name for name in columns if name.startswith("c")]
    kinds = DataDefinition(
        numerical_columns=[name for name in columns if name not in categorical],
        categorical_columns=categorical,
    )

    def dataset(rows: pd.DataFrame) -> Dataset:
        return Dataset.from_pandas(rows[list(columns)], data_definition=kinds)

    reference = dataset(frame(stream, None, columns))

    def judge(day: pd.DataFrame) -> set[str]:
        report = Report([DataDriftPreset()], include_tests=True).run(dataset(day), reference).dict()
        failures = {
            test["metric_config"]["params"].get("column", "dataset")
            for test in report["tests"]
            if test["status"] == "FAIL"
        }
        return set(failures)

    return judge


def evidently_missing(stream: Stream, columns: Sequence[str]) -> Judge:
    """The share of missing values within a tenth of the reference's, as its summary report tests by
    itself.
    """
    from evidently import Dataset, Report
    from evidently.core.tests import Reference
    from evidently.metrics import MissingValueCount
    from evidently.tests import eq

    def dataset(rows: pd.DataFrame) -> Dataset:
        return Dataset.from_pandas(rows[list(columns)])

    reference = dataset(frame(stream, None, columns))
    metrics = [
        MissingValueCount(column=name, tests=[], share_tests=[eq(Reference(relative=0.1))])
        for name in columns
    ]

    def judge(day: pd.DataFrame) -> set[str]:
        report = Report(metrics).run(dataset(day), reference).dict()
        return {
            test["metric_config"]["params"]["column"]
            for test in report["tests"]
            if test["status"] == "FAIL"
        }

    return judge


def _nannyml(calculator: str, days: int) -> Rule:
    """A calculator that takes each window for a chunk, its thresholds from the last `days` days of
    the baseline.
    """

    def rule(stream: Stream, columns: Sequence[str]) -> Judge:
        import nannyml

        reference = pd.concat(
            [
                frame(stream, number, columns)
                for number in range((BASELINE - days) * stream.per_day, BASELINE * stream.per_day)
            ],
            ignore_index=True,
        )
        fitted_calculator = getattr(nannyml, calculator)(
            column_names=list(columns),
            timestamp_column_name="time",
            chunk_period="D" if stream.per_day == 1 else "h",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted_calculator.fit(reference)

        def judge(day: pd.DataFrame) -> set[str]:
            with warnings.catch_warnings():
                # It warns of fewer than six chunks, which one day is.
                warnings.simplefilter("ignore")
                result = fitted_calculator.calculate(day).filter(period="analysis").to_df()
            return {
                place[0]
                for place in result.columns
                if place[-1] == "alert" and bool(result[place].any())
            }

        return judge

    return rule


def whylogs_drift(stream: Stream, columns: Sequence[str]) -> Judge:
    """Profiles of both sides, and its drift scores: Kolmogorov-Smirnov or chi-square, drift below p
    = 0.05.
    """
    import whylogs
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    reference = whylogs.log(frame(stream, None, columns)[list(columns)]).view()

    def judge(day: pd.DataFrame) -> set[str]:
        scores = calculate_drift_scores(
            whylogs.log(day[list(columns)]).view(), reference, with_thresholds=True
        )
        return {
            name
            for name, score in scores.items()
            if score is not None and score["drift_category"] == "DRIFT"
        }

    return judge


def sagemaker_drift(stream: Stream, columns: Sequence[str]) -> Judge:
    """Robust distance above 0.1: Kolmogorov-Smirnov or L-infinity, less 1.8·√((n + m)/(nm)), but
    never below 0.
    """
    rows = frame(stream, None, columns)
    reference = {name: rows[name].dropna() for name in columns}
    sorted_values = {
        name: np.sort(values) for name, values in reference.items() if not name.startswith("c")
    }
    shares = {
        name: reference[name].value_counts(normalize=True)
        for name in columns
        if name.startswith("c")
    }

    def distance(name: str, now: pd.Series) -> float:
        if name in shares:
            return float(
                shares[name].sub(now.value_counts(normalize=True), fill_value=0).abs().max()
            )
        reference_values, values = sorted_values[name], np.sort(now)
        all_values = np.concatenate((reference_values, values))
        ranks = [
            np.searchsorted(side, all_values, "right") / len(side)
            for side in (reference_values, values)
        ]
        return float(np.abs(ranks[0] - ranks[1]).max())

    def judge(day: pd.DataFrame) -> set[str]:
        columns_with_drift = set()
        for name in columns:
            now, n = day[name].dropna(), len(reference[name])
            if (
                len(now)
                and distance(name, now) - 1.8 * np.sqrt((n + len(now)) / (n * len(now))) > 0.1
            ):
                columns_with_drift.add(name)
        return columns_with_drift

    return judge


def sagemaker_completeness(stream: Stream, columns: Sequence[str]) -> Judge:
    """Less complete than the baseline was, which is the constraint that it suggests."""
    constraint = frame(stream, None, columns)[list(columns)].notna().mean()

    def judge(day: pd.DataFrame) -> set[str]:
        now = day[list(columns)].notna().mean()
        return set(now.index[now < constraint])

    return judge


RULES: dict[str, Rule] = {
    "evidently drift": evidently_drift,
    "evidently missing": evidently_missing,
    "nannyml drift, 10 days": _nannyml("UnivariateDriftCalculator", 10),
    "nannyml drift, 60 days": _nannyml("UnivariateDriftCalculator", 60),
    "nannyml missing, 60 days": _nannyml("MissingValuesCalculator", 60),
    "whylogs drift": whylogs_drift,
    "sagemaker drift": sagemaker_drift,
    "sagemaker completeness": sagemaker_completeness,
}
