"""History judged again: which alerts there would have been, and which there would be if nothing had changed."""
