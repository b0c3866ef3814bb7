"""A label that comes later says what it would have said in its record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from test_profile_laws import ROWS, SPEC, batch

from driftline.profiles.batch import Batch, LabelledRows
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile


def labelled(rows: list[tuple]) -> LabelledRows:
    whole = batch(rows)
    known = np.flatnonzero([row[4] is not None for row in rows])
    columns = {
        name: array.take(pa.array(known))
        for name, array in whole.columns.items()
        if name in ("p", "s", "y")
    }
    none = np.zeros(len(known), bool)
    return LabelledRows(
        Batch(rows=len(known), columns=columns), np.zeros(len(known), np.int64), none, none
    )


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 30))
def test_labels_later_equal_labels_in_the_record(rows, cut):
    """Rows profiled without their labels, and these taken in later in two parts, give the scores of
    the labelled rows.
    """
    told = Profile(SPEC, BUILT_IN)
    told.update(batch(rows))
    bare = Profile(SPEC, BUILT_IN)
    bare.update(batch([(*row[:4], None) for row in rows]))
    for part in (rows[:cut], rows[cut:]):
        late = Profile(SPEC, BUILT_IN)
        late.label(labelled(part))
        assert late.rows == 0
        bare.merge(Profile.from_bytes(late.to_bytes(), SPEC, BUILT_IN))
    assert bare.rows == told.rows
    mine, theirs = bare.window().scores, told.window().scores
    assert (mine.rows, mine.labelled, mine.confusion) == (
        theirs.rows,
        theirs.labelled,
        theirs.confusion,
    )
    assert mine.positives.tolist() == theirs.positives.tolist()
    assert mine.negatives.tolist() == theirs.negatives.tolist()
    assert np.isclose(mine.sums.log_loss, theirs.sums.log_loss, rtol=1e-12)
    assert replace(SPEC, joins="id").digest != SPEC.digest
