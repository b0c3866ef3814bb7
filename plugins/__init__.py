"""What ships with driftline: plugins like any user's, one file each."""
