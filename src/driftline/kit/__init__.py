"""What plugins share. A plugin imports `driftline` and `driftline.kit.*` only."""
