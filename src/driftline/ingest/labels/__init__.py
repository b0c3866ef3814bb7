"""Labels that arrive later, joined with the predictions that wait for them."""
