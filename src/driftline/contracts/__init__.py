"""What a plugin of each kind declares and what the host passes to it: one module per kind."""
