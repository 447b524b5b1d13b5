"""Correct values to show in forms and beside mistakes, by the last words of a field's path.

People, numbers and addresses here are invented. Where a field is not named, its kind, its pattern
or its code table makes the example (`registry.form_values`).
"""

import re
from collections.abc import Mapping
from typing import Final

_INDEX: Final = re.compile(r"\[[0-9]+\]")

_EXAMPLES: Final[Mapping[str, str]] = {
    "family": "Nguyễn",
    "middle": "Thị",
    "given": "Hương",
    "name": "Trần Thị Lan",
    "father_details.name": "Nguyễn Văn An",
    "other_names": "Bé Na",
    "personal_number": "001326000123",
    "phone": "0901234567",
    "email": "huong@example.vn",
    "home_town": "Xã Tân Lập, Hà Nội",
    "residence": "Thôn 3, xã Tân Lập, Hà Nội",
    "postal_address": "Thôn 3, xã Tân Lập, Hà Nội",
    "address": "12 đường Hoa Ban, xã Tân Lập, Hà Nội",
    "place_detail": "Trạm y tế xã Tân Lập",
    "birth_time": "08:30",
    "birth_year": "1995",
    "nationality": "VN",
    "document": "Thẻ căn cước 001195000456",
    "notes": "Bản gốc lưu trong hồ sơ số 12",
    "photo_digest": "00" * 32,
    "legacy.system": "so-khai-sinh-tan-lap",
    "legacy.id": "45/1987",
    "legacy.year": "1987",
    "map_sheet_no": "12",
    "parcel_no": "345",
    "certificate_serial": "AA 01234567",
    "registry_entry_no": "CH 00123",
    "origin_of_use": "Nhà nước giao đất có thu tiền",
    "geometry": '{"type": "Point", "coordinates": [105.85, 21.03]}',
    "assets": "Nhà ở một tầng, 60 m²",
    "price": "2500000000",
    "secured_amount": "1000000000",
    "obligation_open": "false",
    "act.reason": "clerical",
    "act.legal_basis": '["60/2014/QH13 art. 28"]',
    "office.name": "Ủy ban nhân dân xã Tân Lập",
    "office.level": "commune",
    "competence.type": "birth",
    "competence.operations": '["register"]',
    "competence.legal_basis": "60/2014/QH13 art. 7",
    "role.role": "register",
    "role.types": '["birth"]',
    "role_end.role": "register",
    "ballot.action": "parameter",
    "peer_address": "node.example.vn:7400",
    "readiness.height": "1200",
    "readiness.header": "00" * 32,
    "key.purpose": "consensus",
    "opening.source": "so-khai-sinh-tan-lap",
    "compromised_since_ms": "1773561600000",
}


def find_example(path: str, name: str) -> str | None:
    """Return the example for a field, or None.

    Args:
        path: Where it stands in a form, such as `objects.office[0].name`; may be empty.
        name: The field's own name.
    """
    words = _INDEX.sub("", path).split(".")
    return _EXAMPLES.get(".".join(words[-2:])) or _EXAMPLES.get(name)
