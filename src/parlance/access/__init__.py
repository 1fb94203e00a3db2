"""Who may: keys, principals, and the origins and hosts that are let in."""
