"""Why an entry was refused because of what it says: the law or another record forbids it.

The whole tree and what the codes promise: `registry.errors`.
"""

from registry.errors import RuleError


class ContentRefusedError(RuleError):
    """What the entry says cannot stand beside the law or the rest of the state."""

    code = "registry.content"


class DateOrderError(ContentRefusedError):
    """A date comes before or after another one that it may not."""

    code = "registry.date_order"


class UnitInvalidError(ContentRefusedError):
    """The unit or code is not in its table on that date; details: field."""

    code = "registry.unit_invalid"


class EvidenceError(ContentRefusedError):
    """The evidence is not marked sufficient, or not official where it must be."""

    code = "registry.evidence"


class ParentImpossibleError(ContentRefusedError):
    """A named parent cannot be the parent."""

    code = "registry.parent_impossible"


class LateWithoutReasonError(ContentRefusedError):
    """The duty was done late and no reason code is given."""

    code = "registry.late_without_reason"


class PotentialDuplicateError(ContentRefusedError):
    """Another record may be about the same event; an officer decides; details: records."""

    code = "registry.potential_duplicate"


class SamePersonError(ContentRefusedError):
    """The person may have an identity already, unless officers say no; details: records."""

    code = "registry.same_person"


class TakenError(ContentRefusedError):
    """The unique value or tag belongs to another record; details: namespace."""

    code = "registry.taken"


class TagUnsignedError(ContentRefusedError):
    """A tag is not signed by the namespace's tag service for this record; details: namespace."""

    code = "registry.tag_unsigned"


class ClaimWrongError(ContentRefusedError):
    """The claims are not those that the operation makes; details: namespace."""

    code = "registry.claim_wrong"


class SharesSumError(ContentRefusedError):
    """The holders' shares do not sum to exactly one."""

    code = "registry.shares_sum"


class HolderWrongError(ContentRefusedError):
    """A holder is no identity or organization, is named twice, or stands where none belongs."""

    code = "registry.holder_wrong"


class LinkWrongError(ContentRefusedError):
    """A link leads to no record of the type it must lead to; details: field."""

    code = "registry.link_wrong"


class ObligationOpenError(ContentRefusedError):
    """A financial obligation is open."""

    code = "registry.obligation_open"


class TermOverError(ContentRefusedError):
    """The term of the right is over."""

    code = "registry.term_over"


class WaitNotOverError(ContentRefusedError):
    """A waiting time has not begun or is not over."""

    code = "registry.wait_not_over"


class NoticeFiledError(ContentRefusedError):
    """This notice has been filed, and the days that count from it are running."""

    code = "registry.notice_filed"


class CourtNeededError(ContentRefusedError):
    """Other records stand on this one, so only a court undoes it; details: field."""

    code = "registry.court_needed"


class ImportNotOpenError(ContentRefusedError):
    """No window is open for this office and source, or its announced count is used up."""

    code = "registry.import_not_open"


class CertificatesFullError(ContentRefusedError):
    """The record has as many live certificates as it may have."""

    code = "registry.certificates_full"


class CertificateWrongError(ContentRefusedError):
    """A certificate says something else than the state about its record; details: field."""

    code = "registry.certificate_wrong"


class ParameterRefusedError(ContentRefusedError):
    """There is no such network parameter, or the value is not allowed."""

    code = "registry.parameter"
