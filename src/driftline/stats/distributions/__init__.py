"""Two distributions compared: distances, tests, and shifts with intervals."""
