"""Text of models, tools and servers, made safe for a terminal: it may move no cursor, and set no title."""

_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"
}
_CONTROLS[ord("\r")] = ""


def printable(text: str) -> str:
    """Lines and tabs stay; other control characters are replaced."""
    return text.translate(_CONTROLS)


def one_line(text: str, width: int) -> str:
    """The beginning of a text, in at most `width` characters of one line."""
    line = " ".join(printable(text[: 4 * width]).split())
    return line if len(line) <= width and len(text) <= 4 * width else line[: max(0, width - 1)] + "…"
