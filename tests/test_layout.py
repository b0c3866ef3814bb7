"""Layouts: what real keys say, and listings of the newest places that miss none of them."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.kit.stores.layout import LAYOUTS, MAX_LISTINGS, Layout

pytestmark = pytest.mark.system

SAMPLES = Path(__file__).parent / "data/samples"
OWN = {
    "years first": "%Y/{variant}/%m/%d/",
    "one folder": "{endpoint}/%Y%m%d-%H%M/",
    "minutes": "{endpoint}/%Y/%m/%d/%H/%M/",
    "words between": "logs/year=%Y/month=%m/day=%d/hour=%H/",
    "days with an end": "%Y-%m-%d.v1/",
    "files": "{endpoint}/app-%Y%m%d.jsonl",
    "files without an end": "{endpoint}/%Y%m%d",
    "files of any name": "*-%Y%m%d.jsonl",
    "jobs": "{model}-%Y%m%d%H%M%S*/",
}
PATTERNS = LAYOUTS | OWN
NOW = datetime(2024, 3, 10, 14, 25, 10, tzinfo=UTC)


class Keys:
    """A store of keys: lists by prefix and folder, from a key on if it can."""

    def __init__(self, keys, begins):
        self.keys, self.begins, self.asked = sorted(keys), begins, 0

    def folders(self, prefix):
        self.asked += 1
        found = {
            key[len(prefix) :].partition("/")[0] + "/"
            for key in self.keys
            if key.startswith(prefix) and "/" in key[len(prefix) :]
        }
        return [prefix + name for name in sorted(found)]

    def objects(self, prefix, after):
        self.asked += 1
        return [
            key for key in self.keys if key.startswith(prefix) and (not self.begins or key > after)
        ]

    def listed(self, layout, prefix, since, now):
        return list(
            layout.list_open(
                prefix, since, now, self.folders, self.objects, can_start_after=self.begins
            )
        )


def key_of(pattern: str, moment: datetime, series: str) -> str:
    """A key of this pattern."""
    for name in ("endpoint", "variant", "deployment", "collection", "model"):
        pattern = pattern.replace(f"{{{name}}}", f"{name}-{series}")
    key = moment.strftime(pattern.replace("*", "x").replace("?", "_"))
    return key + "f.jsonl" if key.endswith("/") else key


moments = st.timedeltas(timedelta(0), timedelta(days=70)).map(lambda ago: NOW - ago)


@pytest.mark.parametrize("begins", [True, False], ids=["begins", "does not begin"])
@pytest.mark.parametrize("name", PATTERNS)
@settings(deadline=None)
@given(
    times=st.lists(st.tuples(moments, st.sampled_from("abc")), max_size=12),
    since=moments,
    prefix=st.sampled_from(["", "p/", "p/q/"]),
)
def test_nothing_open_is_missed(name, begins, times, since, prefix):
    """Every object in a place that ended at or after `since` is listed, once."""
    layout = Layout(PATTERNS[name])
    keys = {prefix + key_of(layout.pattern, moment, series) for moment, series in times}
    found = Counter(Keys(keys, begins).listed(layout, prefix, since, NOW))
    for key in keys:
        place = layout.place(key.removeprefix(prefix))
        assert place is not None, key
        assert found[key] == 1 or (place.end < since and found[key] == 0)


@pytest.mark.parametrize("name", PATTERNS)
@settings(deadline=None)
@given(moment=moments)
def test_a_place_holds_its_moment(name, moment):
    """The place of a key that was made for a moment has that moment in it, and says the names."""
    layout = Layout(PATTERNS[name])
    place = layout.place(key_of(layout.pattern, moment, "a"))
    assert place is not None
    assert place.start <= moment < place.end
    assert all(value == f"{part}-a" for part, value in place.parts.items())


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize(
    "name", ["sagemaker", "azureml", "firehose", "hive", "hive_daily", "minutes", "words between"]
)
def test_a_year_is_not_listed(name, begins):
    """With a year of history, a look at the last two hours asks a handful of times and is given
    next to nothing old.
    """
    layout = Layout(PATTERNS[name])
    keys = {key_of(layout.pattern, NOW - timedelta(hours=hours), "a") for hours in range(24 * 365)}
    store = Keys(keys, begins)
    found = store.listed(layout, "", NOW - timedelta(hours=2), NOW)
    assert store.asked <= 9
    assert len(found) <= 4


@pytest.mark.parametrize(("days", "most"), [(1, 27), (10, 12), (100, 6), (1000, 36)])
def test_where_a_listing_can_not_begin(days, most):
    """The longer the time since, the coarser the folders that are asked for, never more than a
    few.
    """
    layout = Layout("firehose")
    keys = {key_of(layout.pattern, NOW - timedelta(hours=hours), "a") for hours in range(24 * 120)}
    store = Keys(keys, False)
    found = store.listed(layout, "", NOW - timedelta(days=days), NOW)
    assert store.asked <= most <= MAX_LISTINGS
    assert len(found) >= min(24 * days, 24 * 120)


def test_a_server_that_ignores_where_to_begin():
    """More is given then, and nothing lost."""
    layout = Layout("hive")
    keys = {key_of(layout.pattern, NOW - timedelta(hours=hours), "a") for hours in range(100)}
    store = Keys(keys, True)
    store.begins = False
    found = list(layout.list_open("", NOW, NOW, store.folders, store.objects, can_start_after=True))
    assert set(found) == keys


@pytest.mark.parametrize("begins", [True, False])
def test_a_prefix_may_end_within_the_name_of_a_folder(begins):
    """The newest jobs of one model are listed, and no job of another one."""
    keys = {
        f"jobs/prediction-{model}-{NOW - timedelta(days=days):%Y_%m_%dT%H_%M_%S}_1Z/r.jsonl"
        for model in ("churn", "fraud")
        for days in range(30)
    }
    layout = Layout("%Y?%m?%dT%H?%M?%S*/")
    found = Keys(keys, begins).listed(
        layout, "jobs/prediction-churn-", NOW - timedelta(days=2), NOW
    )
    assert 3 <= len(found) <= 5
    assert all(key.startswith("jobs/prediction-churn-") for key in found)
    assert max(keys & set(found)) == max(key for key in keys if "churn" in key)


def test_real_keys_of_sagemaker():
    """Two variants of an endpoint, as they were captured."""
    layout = Layout("sagemaker")
    keys = (SAMPLES / "aws/listings/ab_test_two_variants_keys.txt").read_text().split()
    places = [layout.place(key.removeprefix("endpoint_data_capture")) for key in keys]
    assert {(p.parts["endpoint"], p.parts["variant"]) for p in places} == {
        ("ab-1667961602", "VariantA"),
        ("ab-1667961602", "VariantB"),
    }
    assert {p.start for p in places} == {datetime(2022, 11, 9, 2, tzinfo=UTC)}
    assert {p.end for p in places} == {datetime(2022, 11, 9, 3, tzinfo=UTC)}


def test_real_keys_of_azureml():
    """The folders of the data collector."""
    root = SAMPLES / "azure/modelDataCollector"
    places = {
        str(path.relative_to(root)): Layout("azureml").place(str(path.relative_to(root)))
        for path in root.rglob("*.jsonl")
    }
    assert len(places) >= 5
    assert all(place is not None for place in places.values())
    place = next(place for key, place in places.items() if key.startswith("aistudio-townhall"))
    assert place.start == datetime(2023, 10, 24, 22, tzinfo=UTC)
    assert place.parts == {
        "endpoint": "aistudio-townhall-kuxtz",
        "deployment": "aistudio-townhall-kuxtz-1",
        "collection": "model_inputs",
    }


def test_real_folders_of_vertex():
    """The folder of a batch prediction names the second at which its job began; the job writes for
    hours.
    """
    layout = Layout("vertex_batch")
    place = layout.place(
        "prediction-my-model_v2-2022_10_03T04_30_14_757Z/prediction.results-00000-of-00004"
    )
    assert place.start == datetime(2022, 10, 3, 4, 30, 14, tzinfo=UTC)
    assert place.parts == {"model": "my-model_v2"}
    assert layout.is_open(place, place.start + timedelta(hours=20))
    assert not layout.is_open(place, place.start + timedelta(hours=25))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "2024/13/01/00/x",
        "2024/02/30/00/x",
        "2024/01/01/24/x",
        "2024/1/1/0/x",
        "２０２４/01/01/00/x",
    ],
)
def test_keys_that_do_not_fit(key):
    """A key of another form, or with a time that is none, has no place."""
    assert Layout("firehose").place(key) is None


NONE = """sagmaker {endpoint}/ %Y/%d/%m/ %Y/%m/ %H/%Y/%m/%d/ %Y/%m/%d/%M/ %Y/%Y/%m/%d/ %Y/%m/%d/%j/
{Endpoint}/%Y/%m/%d/ {a}/{a}/%Y/%m/%d/ {_Y}/%Y/%m/%d/ {%Y/%m/%d/"""


@pytest.mark.parametrize("pattern", ["", *NONE.split()])
def test_patterns_that_are_none(pattern):
    """A pattern that names no time, or in another order, or can't be understood, is refused with
    the mend.
    """
    with pytest.raises(ValueError, match=r"layout|should be one of"):
        Layout(pattern)


def test_the_boundary():
    """A place that ended just when the last look began is still listed; the one before is not."""
    layout = Layout("firehose")
    starts = [NOW.replace(minute=0, second=0) - timedelta(hours=hours) for hours in (3, 2, 1)]
    keys = [key_of(layout.pattern, start, "a") for start in starts]
    for begins, name in itertools.product((True, False), ("firehose",)):
        found = Keys(keys, begins).listed(Layout(name), "", starts[2], NOW)
        assert sorted(found) == sorted(keys[1:])
