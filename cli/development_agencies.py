"""Who is in a development network: its agencies, what they may do, their officers' roles."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AgencyPlan:
    """What a development agency is called and may do.

    Attributes:
        name: The short name that commands use.
        title: For people.
        types: Record types of its mandate.
        basis: The article of the mandate.
        approves: Record type and operation in which it is another agency's second office.
        roles: Roles of its first, second and third officer.
    """

    name: str
    title: str
    types: tuple[str, ...]
    basis: str
    roles: tuple[tuple[str, ...], ...] = (
        ("declare", "register"),
        ("declare", "approve"),
        ("declare", "register", "approve", "correct_senior"),
    )
    approves: tuple[tuple[str, str], ...] = ()


AGENCIES: Final = (
    AgencyPlan(
        "justice",
        "Tư pháp - hộ tịch",
        ("birth", "identity"),
        "60/2014/QH13 art. 7",
        approves=(("land_title", "import_legacy"),),
    ),
    AgencyPlan(
        "police",
        "Công an",
        ("identity",),
        "26/2023/QH15 art. 18",
        approves=(("birth", "import_legacy"),),
    ),
    AgencyPlan("land", "Văn phòng đăng ký đất đai", ("land_title",), "31/2024/QH15 art. 133"),
    AgencyPlan("bank", "Ngân hàng", (), "", (("declare", "lender"), ("declare", "lender"))),
    AgencyPlan("court", "Tòa án", (), "", (("court",), ("court",))),
    AgencyPlan("tax", "Thuế", (), "", (("declare",), ("declare",))),
    AgencyPlan("health", "Y tế", (), "", (("notify",), ("notify",))),
    AgencyPlan("statistics", "Thống kê", (), "", (("statistics",), ("statistics",))),
    AgencyPlan("business", "Đăng ký kinh doanh", (), "", (("declare",), ("declare",))),
    AgencyPlan("audit", "Kiểm toán", (), "", (("audit",), ("audit",))),
)
"""The first four can act everything that this version has, other agencies' approvals included."""
