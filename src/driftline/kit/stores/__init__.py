"""Reading any object store: layouts, listings, ranges, retries, change events."""
