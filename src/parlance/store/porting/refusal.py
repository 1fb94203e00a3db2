"""Why something can't be brought in or out."""


class PortingRefused(Exception):
    """The message names the place and says what to do. Nothing was changed."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class LineRefused(PortingRefused):
    """A line of the file can't be taken; lines count from 1."""

    def __init__(self, number: int, fault: str) -> None:
        super().__init__(f"Line {number}: {fault}. Nothing was imported.")
