"""What the agent reports about itself: metrics and logs."""
