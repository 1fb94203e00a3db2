"""How the server's protocols, which it makes itself, come to know the limits that they keep."""

import uvicorn

from parlance.doors.limits import Limits


class LimitedConfig(uvicorn.Config):
    """`limits` are set right behind its making."""

    limits: Limits


def limits_of(config: uvicorn.Config) -> Limits:
    if not isinstance(config, LimitedConfig):
        raise TypeError("These protocols need a LimitedConfig.")
    return config.limits
