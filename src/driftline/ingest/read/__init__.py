"""From a listing to rows: which objects to read, and reading them."""
