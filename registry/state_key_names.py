"""The keys of the state, one function for each kind; `docs/records.md` lists kinds and values."""

from typing import Final

from keys.hashing import Digest
from keys.signing import KeyId, Purpose
from ledger.ids import ActId, AgencyId, ObjectId, OfficeId, RecordId
from ledger.state_keys import StateKey

VALIDATORS: Final[StateKey] = ("validators",)
ACT_HOURS: Final[StateKey] = ("acts",)
NAMESPACES: Final[StateKey] = ("namespaces",)


def record_key(record_id: RecordId) -> StateKey:
    """A record: RecordRow."""
    return ("record", record_id)


def key_key(key_id: KeyId) -> StateKey:
    """A public key: KeyRow."""
    return ("key", key_id)


def agency_key(agency_id: AgencyId) -> StateKey:
    """An agency: AgencyRow."""
    return ("agency", agency_id)


def key_changes_key(agency_id: AgencyId, purpose: Purpose, *, by_governors: bool) -> StateKey:
    """The last changes of a key of an agency's node, by governors or itself: KeyChangesRow."""
    return ("key_changes", agency_id, purpose.value, "agency" if by_governors else "itself")


def mandate_key(agency_id: AgencyId, number: int) -> StateKey:
    """A mandate of an agency, counted from 0: MandateRow."""
    return ("mandate", agency_id, number)


def office_key(office_id: OfficeId) -> StateKey:
    """An office: OfficeRow."""
    return ("office", office_id)


def competence_key(office_id: OfficeId, number: int) -> StateKey:
    """A competence of an office, counted from 0: CompetenceRow."""
    return ("competence", office_id, number)


def officer_key(identity_id: RecordId) -> StateKey:
    """The roles of a person: OfficerRow."""
    return ("officer", identity_id)


def family_key(identity_id: RecordId) -> StateKey:
    """The family links of a person: FamilyRow."""
    return ("family", identity_id)


def claim_key(namespace: str, epoch: int, value: str | Digest) -> StateKey:
    """A unique value (epoch 0) or tag: ClaimRow."""
    return ("claim", namespace, epoch, value)


def match_key(namespace: str, epoch: int, tag: Digest) -> StateKey:
    """Records with a match tag: IndexRow."""
    return ("match", namespace, epoch, tag)


def index_key(type_name: str, link: str, target: RecordId) -> StateKey:
    """Records of a type whose link leads to the target: IndexRow."""
    return ("index", type_name, link, target)


def namespace_key(name: str) -> StateKey:
    """A namespace of tags: NamespaceRow."""
    return ("namespace", name)


def book_key(office_id: OfficeId, series: str, year: int) -> StateKey:
    """A book: BookRow."""
    return ("book", office_id, series, year)


def parameter_key(name: str) -> StateKey:
    """A network parameter: ParameterRow."""
    return ("parameter", name)


def type_key(type_name: str) -> StateKey:
    """The schema versions of a record type: TypeRow."""
    return ("type", type_name)


def text_key(digest: Digest, number: int) -> StateKey:
    """Piece `number`, from 0, of the text with this digest: TextRow."""
    return ("text", digest, number)


def standing_key(identity_id: RecordId) -> StateKey:
    """How many records stand on a person: StandingRow."""
    return ("standing", identity_id)


def table_key(name: str) -> StateKey:
    """A code table: TableRow."""
    return ("table", name)


def pack_key(digest: Digest) -> StateKey:
    """A pack of office rules: PackRow."""
    return ("pack", digest)


def ballot_key(ballot_id: ObjectId) -> StateKey:
    """A ballot: BallotRow."""
    return ("ballot", ballot_id)


def act_key(act_id: ActId) -> StateKey:
    """A side act or act of governance: ActRow."""
    return ("act", act_id)


def act_hour_key(hour: int) -> StateKey:
    """Acts that expire in an hour since 1970 UTC: ActHourRow."""
    return ("acts", hour)


def certificate_key(certificate_id: ObjectId) -> StateKey:
    """A certificate: CertificateRow."""
    return ("certificate", certificate_id)


def certificates_key(record_id: RecordId) -> StateKey:
    """Valid certificates of a record: CertificatesRow."""
    return ("certificates", record_id)


def notice_key(record_id: RecordId, purpose: str) -> StateKey:
    """The last notice of a record for a purpose: NoticeRow."""
    return ("notice", record_id, purpose)


def intake_key(office_id: OfficeId, digest: Digest) -> StateKey:
    """The notice of an intake, of one office: NoticeRow."""
    return ("intake", office_id, digest)


def grant_key(grant_id: ObjectId) -> StateKey:
    """A grant: GrantRow."""
    return ("grant", grant_id)


def wraps_key(record_id: RecordId, version: int) -> StateKey:
    """Wraps added to a record version: WrapsRow."""
    return ("wraps", record_id, version)


def logged_key(act_id: ObjectId) -> StateKey:
    """An access or annotation: LoggedRow."""
    return ("logged", act_id)


def import_key(office_id: OfficeId, source: str) -> StateKey:
    """An import window: ImportRow."""
    return ("import", office_id, source)
