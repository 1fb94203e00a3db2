"""Doubles that ship with the package, for the tests of users too: scripted upstreams and providers, chaos."""
