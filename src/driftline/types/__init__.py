"""Values used everywhere. Imports nothing else of driftline."""
