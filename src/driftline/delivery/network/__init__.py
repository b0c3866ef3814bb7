"""Guarded connections to receivers: addresses, TLS, HTTP answers."""
