"""What one entry may cost, refused in one way: which limit, what the value was, what is allowed.

Source: the design's architecture, section 6.
"""

from registry.errors import TooMuchWorkError


def check_work(limit: str, value: int, maximum: int) -> None:
    """Refuse an entry that costs more than one entry may.

    Args:
        limit: What is counted, as a person would call it.
        value: How many it would be with this step, write or record.
        maximum: How many there may be.

    Raises:
        TooMuchWorkError: `value > maximum`; details: limit, value, maximum.
    """
    if value > maximum:
        raise TooMuchWorkError(
            f"{limit} would be {value}, over the limit of {maximum}",
            limit=limit,
            value=value,
            maximum=maximum,
        )
