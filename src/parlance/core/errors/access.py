"""What a caller may not."""

from parlance.core.errors.base import ParlanceError


class AccessError(ParlanceError):
    code = "forbidden"
    title = "Forbidden"
    status = 403


class KeyMissing(AccessError):
    code = "key_missing"
    title = "Key missing"
    status = 401


class KeyInvalid(AccessError):
    code = "key_invalid"
    title = "Key invalid"
    status = 401


class OriginRefused(AccessError):
    code = "origin_refused"
    title = "Origin refused"


class HostRefused(AccessError):
    code = "host_refused"
    title = "Host refused"
    status = 421


class ModelForbidden(AccessError):
    code = "model_forbidden"
    title = "Model forbidden"
