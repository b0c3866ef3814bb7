"""The running agent: loops, schedule, locks, and the one composition root."""
