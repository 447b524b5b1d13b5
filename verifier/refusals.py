"""Why the second verifier refused something: three kinds, by what it means to the person who asks.

* RefusedError
  x UnreadableError     the bytes are not of the format: a smudge, a cut, another file
  x MismatchError       well-formed parts contradict each other or a signature: forged
  x CannotCheckError    what is known beforehand does not reach: another bundle is needed
"""


class RefusedError(Exception):
    """Something was refused.

    Args:
        reason: A short stable word for programs, such as `quorum_signature`.
        message: One English sentence.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnreadableError(RefusedError):
    """The bytes are not of the format."""


class MismatchError(RefusedError):
    """Two well-formed parts do not belong together."""


class CannotCheckError(RefusedError):
    """It may be genuine, but the trust bundle at hand cannot tell."""
