"""Settings: one frozen tree, read once, whichever file or variable a value came from."""

from parlance.config.default_provider import DefaultProvider as DefaultProvider
from parlance.config.default_provider import choose_default as choose_default
from parlance.config.describe import Row as Row
from parlance.config.describe import describe as describe
from parlance.config.errors import ConfigError as ConfigError
from parlance.config.errors import Notice as Notice
from parlance.config.errors import Problem as Problem
from parlance.config.load import Loaded as Loaded
from parlance.config.load import load as load
from parlance.config.settings import Settings as Settings
from parlance.config.surroundings import Surroundings as Surroundings
from parlance.config.surroundings import real_surroundings as real_surroundings
