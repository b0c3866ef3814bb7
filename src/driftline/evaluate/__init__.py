"""From windows to verdicts: checks measure, rules judge."""
