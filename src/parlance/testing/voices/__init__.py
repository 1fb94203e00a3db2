"""The wire languages as scripted upstreams speak them: one file each, written apart from the dialects."""
