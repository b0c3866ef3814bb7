"""Explains where stored numbers come from, and computes them again."""
