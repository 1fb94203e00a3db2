"""One table in each file. `whole` has all of them."""
