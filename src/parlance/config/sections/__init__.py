"""The sections of the settings tree, one file per subject. The root that holds them is `config.settings`."""
