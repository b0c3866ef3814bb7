"""From an outbox row to a receiver: routes, rendering, network, one worker per sink."""
