"""Two keys, each for a subtenant of its own."""

ANN, BOB = "key-of-ann-0123456789", "key-of-bob-0123456789"
KEYS = f"""
access:
  keys:
    ann: {{key: {ANN}, scope: "subtenant:ann"}}
    bob: {{key: {BOB}, scope: "subtenant:bob"}}
"""


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
