"""What needs the office above, done by hand in a development network."""

from cli.exit_codes import ExitCode
from tests.cli.test_clerk import TODAY, citizen, signs_here  # noqa: F401 - fixtures

LOWER_FORM = f"""
name = "Ủy ban nhân dân xã"
unit = "00004"
unit_date = 2025-07-01
level = "commune"
parent = "police"
from_date = {TODAY}
"""


def lower_office(desk):
    """Name an office below the founding one, with two of its officers and keys of their own."""
    (made,) = desk.ask("office", "name", "-", "--agency", "police", "--yes", stdin=LOWER_FORM)
    office = made["made"]["id"]
    governs = ("--agency", "police", "--yes")
    desk.ask("competence", "grant", *governs, "--set", f"office={office}", "--set",
             "type=identity", "--set", "operations=*", "--set", f"from_date={TODAY}",
             "--set", "legal_basis=26/2023/QH15 art. 18")  # fmt: skip
    network = desk.ask("network", "show")[0]
    people = {one["name"]: one["identity"] for one in network["officers"]}
    for officer, role in (("police-1", "register"), ("police-2", "approve")):
        desk.ask("key", "new", f"lower-{role}", "--unencrypted")
        desk.ask("officer", "grant", *governs, "--set", f"identity={people[officer]}", "--set",
                 f"role={role}", "--set", "types=*", "--set", f"office={office}", "--set",
                 f"public=lower-{role}", "--set", f"from_date={TODAY}")  # fmt: skip
    return office


def test_a_date_of_birth_is_corrected_with_the_office_above(desk, citizen, signs_here):  # noqa: F811
    own, identity = citizen("muon")
    signs_here(own, "muon", "sign")
    office = lower_office(desk)
    words = ("identity", "correct", identity, "--office", office, "--yes",
             "--as", "officer=lower-register", "--as", "second_officer=lower-approve",
             "--set", "birth_date=1985-05-06", "--set", "act.sufficient=true",
             "--set", "act.reason=typing", "--set", f"act.evidence={'ab' * 32}")  # fmt: skip
    status, error = desk.refused(*words)
    assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "registry.signer_missing")
    assert error["details"]["term"] == "upper_office(correct_senior)"
    desk.ask(*words, "--as", "upper_office(correct_senior)=police-3")
    (shown,) = desk.ask("show", identity)
    assert "1985-05-06" in str(shown)
