"""Plumbing of the wire: the egress policy, byte-exact readers, the clock. Knows no language."""
