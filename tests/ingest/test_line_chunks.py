"""Chunks of lines: nothing lost, nothing twice, nothing too large."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.ingest.read.decoding import SAMPLES, Decoding
from driftline.kit.decoding.line_chunks import LineChunks


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=12),
    st.booleans(),
    st.booleans(),
    st.integers(1, 16),
    st.integers(16, 24),
)
def test_every_line_comes_once(lengths, ended, is_complete, size, cap):
    """Each line is in one chunk, or is rejected as too long; the end waits unless the stream is
    complete.
    """
    lines = [b"x" * length + b"\n" for length in lengths]
    if lines and not ended:
        lines[-1] = lines[-1][:-1]
    data = b"".join(lines)
    chunks = list(LineChunks(io.BytesIO(data), is_complete, size=size, cap=cap))
    whole = [line for line in lines if line.endswith(b"\n") or (is_complete and line)]
    assert b"".join(chunk.data for chunk in chunks if not chunk.oversized) == b"".join(
        line for line in whole if len(line.strip()) <= cap
    )
    assert sum(chunk.oversized for chunk in chunks) == sum(
        len(line.strip()) > cap for line in whole
    )
    assert (chunks[-1].end if chunks else 0) == len(b"".join(whole))
    assert [chunk.end for chunk in chunks] == sorted(chunk.end for chunk in chunks)


def test_rejects_are_counted_and_some_are_kept():
    """All rejects count, a bounded sample is kept, each no longer than two hundred bytes."""
    ctx = Decoding(uri="u")
    for i in range(1000):
        ctx.reject(i, "why" * 1000, "é" * 500)
    assert (ctx.rejected, len(ctx.samples)) == (1000, SAMPLES)
    assert all(len(sample) <= 200 and len(why) <= 300 for _, why, sample in ctx.samples)
