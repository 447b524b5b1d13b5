"""The pack of office rules: what each named rule checks, with its numbers, as one dated text.

An entry attests each rule with the digest of the pack under which it ran, so that an auditor knows
years later what was checked. The text is attached to genesis under `pack/<name>`; changing a word
of it is a new pack, put in force by ballot.
"""

from typing import Final

from keys.hashing import Digest
from ledger.genesis import attachment_digest

PACK_NAME: Final = "office-1"
MOTHER_AGE_MIN: Final = 12
MOTHER_AGE_MAX: Final = 60
NAME_LETTERS_MAX: Final = 64
FULL_NAME_LETTERS_MAX: Final = 192

PACK_TEXT: Final = b"""\
name = "office-1"
valid_from = 2026-01-01
engine_version = 1

[rules.appeared_in_person]
checks = "the person whose keys are enrolled stood before both officers; no program can see that"
basis = "26/2023/QH15 art. 31"
outcome = "always warn"

[rules.duplicate_search]
checks = "no registered or proposed birth has a similar child's name, a birth date within 5 days, \
a similar mother's name, mothers' births within 365 days, and the same mother where both name one, \
nor one of whose mother this holds with the new birth's father; \
similar: without marks, any order of words, one edit in a word of 4 letters or more"
basis = "60/2014/QH13 art. 12.1"
outcome = "warn without an index"

[rules.evidence_kind]
checks = "the kind of evidence is given, and it is an official report exactly when the act says so"
basis = "60/2014/QH13 art. 16.1"
outcome = "refuse"

[rules.geometry_valid]
checks = "GeoJSON in WGS 84, closed rings of 4 points or more; its SHA-256 is the public digest; \
whether it lies in its unit and overlaps no neighbour is not computed"
basis = "10/2024/TT-BTNMT; RFC 7946"
outcome = "always warn"

[rules.mother_age]
checks = "the mother was 12 to 60 years old at the birth"
basis = "policy"
outcome = "warn"

[rules.name_letters]
checks = "names hold letters, space, hyphen and apostrophe only; each part has 1 to 64 characters, \
a full name 1 to 192"
basis = "60/2014/QH13 art. 14.1"
outcome = "refuse"

[rules.number_matches_person]
checks = "the personal number has 12 digits and says the person's sex and year of birth"
basis = "59/2021/TT-BCA; 137/2015/ND-CP art. 13"
outcome = "refuse at first registration, warn on corrected records"

[rules.parents_named]
checks = "a birth that names a parent's identity says that parent's name too; whether it is \
the one of the identity is not compared"
basis = "60/2014/QH13 art. 14.1; 123/2015/ND-CP art. 4.1"
outcome = "refuse"

[rules.same_as_birth]
checks = "an identity that came of a birth record has the name, sex and nationality of its present \
version, as far as that knows them"
basis = "123/2015/ND-CP art. 6.2"
outcome = "refuse; warn where the birth record is not opened"
"""

PACK_DIGEST: Final[Digest] = attachment_digest(PACK_TEXT)
"""What entries attest their rules under, 32 bytes."""
