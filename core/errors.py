"""The one error type that reaches a user as a message instead of a traceback."""


class UserError(Exception):
    """Something a user can put right: the message says what, where and what is allowed.

    The command line prints it and exits with `exit_code`: 2 for a mistake in what was asked (nothing was
    touched), 1 for a run that failed.
    """

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
