"""The keys with which an agency's vault service signs and opens."""

from dataclasses import dataclass

from keys.signing import SoftwareKey
from ledger.ids import AgencyId


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodianKeys:
    """What a custodian holds: the agency's id, its custodian key and its seal key."""

    agency_id: AgencyId
    custodian: SoftwareKey
    seal: SoftwareKey
