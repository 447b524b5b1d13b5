"""Words for what entries name by codes: signers' terms and roles, rules, objects, keys.

What is not in these tables stands as it is. Record types name their own fields and operations.
"""

import re
from collections.abc import Mapping
from typing import Final

from keys.did import fingerprint
from keys.errors import InvalidKeyError
from keys.signing import parse_public_key
from ledger.canonical import Value
from registry.problems import Text

_TERMS: Final[Mapping[str, Text]] = {
    "officer": ("cán bộ", "officer"),
    "second_officer": ("cán bộ thứ hai", "second officer"),
    "upper_office": ("cơ quan cấp trên", "upper office"),
    "other_office": ("cơ quan khác", "another office"),
    "other_agency": ("đơn vị khác", "another agency"),
    "agency": ("đơn vị", "agency"),
    "authority": ("cơ quan có thẩm quyền", "authority"),
    "owners": ("chủ sở hữu", "owner"),
    "new_owners": ("chủ sở hữu mới", "new owner"),
    "links": ("bên có tên trong hồ sơ", "party named in the record"),
    "appointee": ("người được giao vai trò", "the person to be an officer"),
    "subject": ("chính người này", "the person concerned"),
    "consent": ("trẻ từ đủ 9 tuổi đồng ý", "the child, who agrees"),
    "representative": ("người đại diện", "representative"),
    "guardian": ("người giám hộ", "guardian"),
    "supervisor": ("người giám sát giám hộ", "supervisor of the guardian"),
    "lenders": ("bên nhận bảo đảm", "lender"),
    "informant": ("người đi khai", "informant"),
    "new_key": ("khóa mới", "new key"),
    "old_key": ("khóa cũ", "old key"),
    "recovery": ("người được tin cậy khôi phục", "recovery contact"),
    "consensus_key": ("khóa đồng thuận", "consensus key"),
    "custodian": ("dịch vụ kho niêm phong", "custodian"),
    "court": ("tòa án", "court"),
}
_ROLES: Final[Mapping[str, Text]] = {
    "notify": ("báo tin", "notifies"),
    "declare": ("tiếp nhận", "takes the declaration"),
    "register": ("đăng ký", "registers"),
    "approve": ("phê duyệt", "approves"),
    "correct_senior": ("cải chính cấp trên", "senior for corrections"),
    "court": ("tòa án", "court"),
    "lock": ("khóa", "locks"),
    "lender": ("bên cho vay", "lender"),
    "statistics": ("thống kê", "statistics"),
    "audit": ("kiểm toán", "audits"),
    "admin": ("quản trị", "administers"),
}
_ARGUMENTS: Final[Mapping[str, Text]] = {
    "all": ("tất cả", "all"),
    "any": ("một trong số đó", "any of them"),
    "k": ("đủ số khóa quản trị", "enough governance keys"),
    "holder": ("bên được hưởng quyền", "who gets the right"),
}
_BETWEEN: Final[Mapping[str, Text]] = {"and": ("và", "and"), "or": ("hoặc", "or")}
_TERM: Final = re.compile(r"(?P<name>[a-z_]+)(?:\((?P<argument>[a-z_0-9]+)\))?")
_RULES: Final[Mapping[str, Text]] = {
    "appeared_in_person": ("đã đến trực tiếp", "appeared in person"),
    "duplicate_search": ("tìm khai sinh trùng", "search for the same birth"),
    "evidence_kind": ("loại giấy tờ chứng sinh", "kind of evidence"),
    "geometry_valid": ("hình thể thửa đất", "geometry of the parcel"),
    "mother_age": ("tuổi của mẹ", "age of the mother"),
    "name_letters": ("chữ trong họ tên", "letters of the name"),
    "number_matches_person": (
        "số định danh khớp với người",
        "the personal number fits the person",
    ),
    "parents_named": ("họ tên cha, mẹ", "names of the parents"),
    "same_as_birth": ("giống hồ sơ khai sinh", "same as the birth record"),
}
_OBJECTS: Final[Mapping[str, Text]] = {
    "auth_key": ("khóa xác thực", "auth key"),
    "ballot": ("cuộc biểu quyết", "ballot"),
    "certificate": ("giấy chứng nhận", "certificate"),
    "closing": ("việc đóng", "closing"),
    "competence": ("thẩm quyền", "competence"),
    "competence_end": ("chấm dứt thẩm quyền", "end of a competence"),
    "different": ("người khác trùng họ tên, ngày sinh", "other person of this name and birthday"),
    "duplicate": ("dấu hiệu trùng", "possible duplicate"),
    "encumbrance": ("biện pháp bảo đảm", "encumbrance"),
    "grant": ("phép xem", "grant"),
    "key": ("khóa", "key"),
    "key_end": ("chấm dứt khóa", "end of a key"),
    "logged": ("lần tra cứu", "access"),
    "notice": ("thông báo", "notice"),
    "office": ("cơ quan", "office"),
    "opening": ("lần mở đợt nhập", "opening of an import"),
    "piece": ("phần văn bản", "piece of a text"),
    "release": ("việc xóa bảo đảm", "release"),
    "role": ("vai trò", "role"),
    "role_end": ("chấm dứt vai trò", "end of a role"),
    "stated": ("trường được trình bày", "stated field"),
    "vote": ("lá phiếu", "vote"),
    "withdrawal": ("việc rút phép xem", "withdrawal"),
    "wraps": ("khóa bọc", "wraps"),
}
_KEY_PURPOSES: Final[Mapping[str, Text]] = {
    "sign": ("để ký", "to sign"),
    "auth": ("để hỏi các nút", "to ask nodes"),
    "seal": ("để mở phần niêm phong", "to open what is sealed"),
}


def term_words(term: str) -> Text:
    """Return what a signer's term means, in Vietnamese and English."""
    name, _, role = term.rstrip(")").partition("(")
    words = _TERMS.get(name, (name, name))
    if not role:
        return words
    of = role_words(role)
    return f"{words[0]} ({of[0]})", f"{words[1]} ({of[1]})"


def policy_words(policy: str) -> Text:
    """Return who must sign, as a record type says it: terms, `and`, `or` and parentheses."""
    return (
        _TERM.sub(lambda found: _policy_term(found)[0], policy),
        _TERM.sub(lambda found: _policy_term(found)[1], policy),
    )


def _policy_term(found: re.Match[str]) -> Text:
    name, argument = found["name"], found["argument"]
    if name in _BETWEEN:
        return _BETWEEN[name]
    words = _TERMS.get(name, (name, name))
    if argument is None or argument.isdecimal():  # An age is in the words of its term.
        return words
    of = _ARGUMENTS.get(argument) or role_words(argument)
    return f"{words[0]} ({of[0]})", f"{words[1]} ({of[1]})"


def role_words(role: str) -> Text:
    """Return what an officer with a role does."""
    return _ROLES.get(role, (role, role))


def rule_words(rule: str) -> Text:
    """Return what a rule on opened fields looks at."""
    return _RULES.get(rule, (rule, rule))


def object_words(kind: str) -> Text:
    """Return what people call an object that an act makes."""
    return _OBJECTS.get(kind, (kind, kind))


_PURPOSE_OF: Final[Mapping[str, str]] = {"auth_key": "auth", "role": "sign"}
"""What the key of an object is for that does not say it."""


def key_words(kind: str, fields: Mapping[str, Value]) -> Text | None:
    """Return purpose and fingerprint of a key that an act enrols; None if it is malformed."""
    algorithm, public, purpose = (fields.get(name) for name in ("algorithm", "public", "purpose"))
    if not isinstance(algorithm, int) or not isinstance(public, bytes):
        return None
    try:
        shown = fingerprint(parse_public_key(algorithm, public))
    except InvalidKeyError:
        return None
    purpose = _PURPOSE_OF.get(kind, str(purpose))
    use = _KEY_PURPOSES.get(purpose, (purpose, purpose))
    return f"{use[0]}, dấu vân {shown}", f"{use[1]}, fingerprint {shown}"
