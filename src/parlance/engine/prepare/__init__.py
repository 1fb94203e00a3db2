"""What may shape the next request to a model, one preparer in each file."""
