"""Metrics of classification and regression, and their change."""
