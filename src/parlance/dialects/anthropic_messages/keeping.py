"""Blocks that only this family understands: server tools with their input and results, whole and while they stream."""

import msgspec
from msgspec import Raw

from parlance.dialects.raw_fields import read_fields, read_json, read_text


class KeptBlock:
    """`raw` is the block as it was opened. Behind it come its `input` in pieces, or fields that replace its own."""

    def __init__(self, type: str, raw: Raw) -> None:
        self.type = type
        self._raw = raw
        self._input: list[str] = []
        self._later: dict[str, Raw] = {}

    def grow(self, delta: Raw | None, partial_json: str) -> None:
        fields = read_fields(delta)
        if read_text(fields.get("type")) == "input_json_delta":
            self._input.append(partial_json)
        else:
            self._later |= {name: raw for name, raw in fields.items() if name != "type"}

    def close(self) -> Raw:
        """The block, whole. An input that is no JSON leaves the one it was opened with."""
        changed = dict(self._later)
        whole = read_json(Raw("".join(self._input).encode("utf-8", "replace"))) if any(self._input) else None
        if whole is not None:
            changed["input"] = whole
        return Raw(msgspec.json.encode(read_fields(self._raw) | changed)) if changed else self._raw


def kept_ids(raw: Raw) -> tuple[str, str]:
    """Of a kept block: the id that a server tool's use bears, and the id that a result answers."""
    fields = read_fields(raw)
    type = bytes(fields.get("type", b""))
    use = bytes(fields.get("id", b"")) if type.endswith(b'_tool_use"') else b""
    return use.decode("utf-8", "replace"), bytes(fields.get("tool_use_id", b"")).decode("utf-8", "replace")
