"""The evidence engine: judges a measurement by its own past windows."""
