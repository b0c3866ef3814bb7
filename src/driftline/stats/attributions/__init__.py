"""Importances of features, and their change."""
