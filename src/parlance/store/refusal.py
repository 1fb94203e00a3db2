"""Why a database can't be served."""


class DatabaseRefused(Exception):
    """Not before somebody has done what the message says. It names the database, and holds no secret."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)
