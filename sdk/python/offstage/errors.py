"""What a plug-in or a nested request fails with. Never hides the platform's code."""

from __future__ import annotations


class codes:
    """Platform codes that plug-ins look at."""

    ISV_ABORTED = 0x80040265
    UNEXPECTED = 0x80040216
    OBJECT_DOES_NOT_EXIST = 0x80040217
    DUPLICATE_RECORD = 0x80040237
    INVALID_ARGUMENT = 0x80040203
    MESSAGE_NOT_SUPPORTED = 0x80040800


class PluginError(Exception):
    """Refuses the request (InvalidPluginExecutionException); also what a failed nested request
    raises. The caller reads the message as it is. ``status`` 0 is the default of the code."""

    def __init__(self, message: str, code: int = codes.ISV_ABORTED, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


class DataError(PluginError):
    """Something that the data at hand does not hold, or holds in another shape."""

    def __init__(self, message: str, code: int = codes.UNEXPECTED) -> None:
        super().__init__(message, code)
