"""From stored bytes to profiles: listing, decoding, canonical columns, pairing and labels.

Does not know a store or a format: those are plugins.
"""
