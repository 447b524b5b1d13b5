"""Why the public side of a node refused a request, sorted by who has to act.

* RequestError               whoever sent the request
  + MalformedRequestError      not HTTP as we speak it, a wrong parameter, header or path
  + WrongMediaTypeError
  + BodyTooLargeError
  + HeaderTooLargeError
  + TooSlowError
  + NotFoundError
  + WrongMethodError
  + UnauthenticatedError       who asks must say so with a signature
    + ReplayedRequestError     this signed request was seen before
  + ForbiddenError             the asker is known and may not
    + AccessUnloggedError      not before an access stands in the chain
  + TooManyRequestsError       later
* BodyMismatchError          whoever submitted: a body that the entry does not name
* UnavailableError           nobody but time or the operator: later
  + TagServiceError            the other agency of a namespace does not answer
* InternalError              our own fault; the log says more
"""

from ledger.errors import InvalidDataError
from node.errors import NodeError


class RequestError(NodeError):
    """The request cannot be served as it is."""

    code = "node.bad_request"


class MalformedRequestError(RequestError):
    """The request is malformed: a parameter, a header or the path."""

    code = "node.malformed_request"


class WrongMediaTypeError(RequestError):
    """The body is of another media type than this address takes."""

    code = "node.media_type"


class BodyTooLargeError(RequestError):
    """The body is over what this address takes; details: limit, value, maximum."""

    code = "node.body_too_large"


class HeaderTooLargeError(RequestError):
    """The header of the request is over its bounds; details: limit, value, maximum."""

    code = "node.header_too_large"


class TooSlowError(RequestError):
    """The body did not come in time."""

    code = "node.too_slow"


class NotFoundError(RequestError):
    """There is nothing of this name here, or nothing that the asker may know of."""

    code = "node.not_found"


class WrongMethodError(RequestError):
    """The address exists and does not take this method."""

    code = "node.wrong_method"


class UnauthenticatedError(RequestError):
    """Who asks must sign the request with an auth or peer key that is in force."""

    code = "node.unauthenticated"


class ReplayedRequestError(UnauthenticatedError):
    """This signed request was seen before."""

    code = "node.replayed_request"


class ForbiddenError(RequestError):
    """The asker is known and may not have this."""

    code = "node.forbidden"


class AccessUnloggedError(ForbiddenError):
    """An officer asks for a sealed body without an access on record."""

    code = "node.access_unlogged"


class TooManyRequestsError(RequestError):
    """Too many requests from one place in a short time."""

    code = "node.too_many_requests"


class UnavailableError(NodeError):
    """The node cannot do this now."""

    code = "node.unavailable"


class TagServiceError(UnavailableError):
    """The tag service of an agency did not answer, or not with what was asked for."""

    code = "node.tag_service"


class InternalError(NodeError):
    """The node made a mistake; its log says which."""

    code = "node.internal"


class BodyMismatchError(InvalidDataError):
    """A sealed body came that the entry does not name; the entry itself may be right."""

    code = "node.body_mismatch"
