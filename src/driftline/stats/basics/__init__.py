"""Estimates with intervals, samples, proportions, averages."""
