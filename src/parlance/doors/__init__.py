"""Where we listen, one door in each file or folder, thin: decode, engine, encode."""
