"""Making a reference profile from log objects."""
