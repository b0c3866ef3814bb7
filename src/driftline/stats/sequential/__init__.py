"""Series of windows: evidence, limits, control charts, many tests at once."""
