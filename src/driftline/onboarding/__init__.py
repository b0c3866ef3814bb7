"""A first look at someone's logs and at the baselines of other monitors."""
