"""From decoded records to the canonical columns of a model."""
