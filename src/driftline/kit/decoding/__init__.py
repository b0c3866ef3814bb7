"""From bytes and captured bodies to columns: what several formats share."""
