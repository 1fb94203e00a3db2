"""The benchmark of Parlance: against a byte relay, in the same run. `script/bench` starts it."""
