"""Where people look at incidents and act on them."""
