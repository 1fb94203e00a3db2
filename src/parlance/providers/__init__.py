"""How to reach the models: a catalogue of hosts, one row each, and the Providers made from its rows."""
