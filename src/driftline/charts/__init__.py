"""Pictures of what was found, where people would rather look than read."""
