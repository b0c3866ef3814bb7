"""The composition root: where clock, store, network and plugins are made and handed down; loops and signals."""
