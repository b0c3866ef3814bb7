"""From stored bytes to profiles: unpacking, decoding, canonical columns, tasks.

Refuses to know a store or a format: those are plugins.
"""
