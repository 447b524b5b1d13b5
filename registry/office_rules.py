"""Office rules: named checks on opened fields, run before sealing and again by the custodian.

Each rule returns findings. One that refuses stops the act, with the field, its value, the law and a
correct example; the others stand in the entry as *warn*. What a program cannot see, or cannot run
again without data it lacks, is a warning too and is shown as unverified.

The words of each rule are in `registry.rule_pack`; the two must say the same.

Source: records.md, introduction and sections 6 to 8.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from ledger.canonical import Value
from ledger.ids import RecordId, print_id
from ledger.parts import AttestedRule, sort_rules
from registry.acts import Act, RecordContent
from registry.birth_details import SAME_AS_BIRTH, differing_paths
from registry.civil_calendar import age, is_date
from registry.duplicates import BirthSketch, similar_births
from registry.errors import AttestationIncompleteError
from registry.geometry import geometry_findings
from registry.office_findings import Finding, refuse, warn
from registry.problems import OfficeRuleError
from registry.rule_pack import (
    FULL_NAME_LETTERS_MAX,
    MOTHER_AGE_MAX,
    MOTHER_AGE_MIN,
    NAME_LETTERS_MAX,
    PACK_DIGEST,
)
from registry.schema import EditKind
from registry.spelling import LETTERS
from registry.vietnamese_numbers import InvalidNumberError, parse_personal_number

DUPLICATE_SEARCH: Final = "duplicate_search"
_NAME_PARTS: Final = ("name.family", "name.middle", "name.given")
_FULL_NAMES: Final = ("mother_details.name", "father_details.name", "informant.name")
_NAME_MARKS: Final = frozenset(" -'\u2019")
_YEAR: Final = re.compile(r"[0-9]{4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedAct:
    """An act whose fields are open, as an office rule sees it.

    Attributes:
        act: What is done, with member and sealed values.
        types: The record type of each record of the act.
        record_id: The subject's id.
        edit: Which of the four edits it is; at `none` the record is registered for the first time.
        births: Births to compare with, from the index; None where there is no index.
        different: Records that an officer has found to be other births.
        birth: Sealed values of the present version of the birth that the subject, an identity, came
            of; empty if it came of none, None where nobody has opened it here.
    """

    act: Act
    types: tuple[str, ...]
    record_id: RecordId
    edit: EditKind
    births: tuple[BirthSketch, ...] | None = None
    different: tuple[RecordId, ...] = field(default=())
    birth: Mapping[str, Value] | None = None

    @property
    def subject(self) -> RecordContent:
        """The subject's content; an empty one for a side act."""
        return self.act.records[0] if self.act.records else RecordContent()


class Ruling(NamedTuple):
    """What one rule found: nothing, or warnings."""

    rule: str
    findings: tuple[Finding, ...]

    @property
    def warned(self) -> bool:
        """Whether the entry says *warn*."""
        return bool(self.findings)


Rule = Callable[[OpenedAct], Iterable[Finding]]


def run_rules(names: Iterable[str], opened: OpenedAct) -> tuple[Ruling, ...]:
    """Run the office rules with these names.

    Raises:
        OfficeRuleError: A rule refuses; all problems of all rules.
        AttestationIncompleteError: There is no rule of that name.
    """
    rulings: list[Ruling] = []
    refused: list[Finding] = []
    for name in names:
        rule = RULES.get(name)
        if rule is None:
            raise AttestationIncompleteError(f"there is no office rule {name!r}", rule=name)
        findings = tuple(rule(opened))
        refused += [finding for finding in findings if finding.refuses]
        rulings.append(Ruling(name, findings))
    if refused:
        problems = [finding.problem for finding in refused]
        raise OfficeRuleError(f"office rules refuse {len(problems)} values", problems)
    return tuple(rulings)


def attest(names: Iterable[str], opened: OpenedAct) -> tuple[AttestedRule, ...]:
    """Run the office rules and return what the entry says of them, in its order.

    Raises:
        OfficeRuleError: A rule refuses; all problems of all rules.
        AttestationIncompleteError: There is no rule of that name.
    """
    rulings = run_rules(names, opened)
    return sort_rules(
        [AttestedRule(ruling.rule, PACK_DIGEST, warned=ruling.warned) for ruling in rulings]
    )


def _appeared_in_person(_opened: OpenedAct) -> Iterable[Finding]:
    return [
        warn(
            "appeared_in_person",
            ("chỉ hai cán bộ xác nhận được người này đã có mặt", "only the officers can say so"),
        )
    ]


def _evidence_kind(opened: OpenedAct) -> Iterable[Finding]:
    kind = opened.subject.sealed.get("evidence_kind")
    evidence = opened.act.evidence
    if kind is None:
        sentence = ("chưa ghi loại giấy tờ", "the kind of evidence is not given")
        return [refuse("evidence_kind", "evidence_kind", None, sentence, "birth_notice")]
    if (kind == "official_report") != evidence.official:
        sentence = (
            "chỉ biên bản của cơ quan mới là giấy tờ chính thức, và phải đánh dấu như vậy",
            "only an official report is official evidence, and the act must then say so",
        )
        return [
            refuse("evidence_kind", "act.official", evidence.official, sentence, "official_report")
        ]
    return []


def _name_letters(opened: OpenedAct) -> Iterable[Finding]:
    found: list[Finding] = []
    for content, prefix in zip(opened.act.records, _prefixes(opened), strict=True):
        for paths, letters_max in (
            (_NAME_PARTS, NAME_LETTERS_MAX),
            (_FULL_NAMES, FULL_NAME_LETTERS_MAX),
        ):
            for path in paths:
                name = content.sealed.get(path)
                if name is not None and not _is_name(name, letters_max):
                    sentence = (
                        "chỉ gồm chữ cái, dấu cách, gạch nối, dấu nháy",
                        "holds letters, space, hyphen and apostrophe only",
                    )
                    example = "Nguyễn Thị Hương" if path in _FULL_NAMES else "Hương"
                    found.append(refuse("name_letters", prefix + path, name, sentence, example))
    return found


def _prefixes(opened: OpenedAct) -> list[str]:
    """Return what stands before the fields of each record in a form."""
    return ["", *["created." for _ in opened.act.records[1:]]]


def _is_name(name: Value, letters_max: int) -> bool:
    if not isinstance(name, str) or not 1 <= len(name) <= letters_max:
        return False
    allowed = all(character in LETTERS or character in _NAME_MARKS for character in name)
    return allowed and name[0] in LETTERS and name[-1] in LETTERS and "  " not in name


def _number_matches_person(opened: OpenedAct) -> Iterable[Finding]:
    corrected = opened.edit != "none"
    found: list[Finding] = []
    numbers: set[Value] = set()
    for content, prefix in zip(opened.act.records, _prefixes(opened), strict=True):
        number = content.sealed.get("personal_number")
        if number is not None:
            numbers.add(number)
            found += _check_number(str(number), content, prefix, corrected=corrected)
    if len(numbers) > 1:
        sentence = (
            "số định danh của hai hồ sơ trong một việc phải giống nhau",
            "the records of one act must have the same personal number",
        )
        found.append(refuse("number_matches_person", "personal_number", None, sentence, ""))
    return found


def _check_number(
    number: str, content: RecordContent, prefix: str, *, corrected: bool
) -> list[Finding]:
    path = f"{prefix}personal_number"
    try:
        said = parse_personal_number(number)
    except InvalidNumberError:
        sentence = ("phải có 12 chữ số", "must have 12 digits")
        return [refuse("number_matches_person", path, number, sentence, "001326000123")]
    born = str(content.member.get("birth_date", content.member.get("event_date", "")))
    sex = content.sealed.get("sex")
    wrong_year = is_date(born) and int(born[:4]) != said.birth_year
    wrong_sex = sex in {"male", "female"} and sex != said.sex
    if not wrong_year and not wrong_sex and sex != "undetermined":
        return []
    sentence = (
        "chữ số giới tính hoặc năm sinh trong số định danh không khớp người này",
        "the sex or year digits of the number do not match the person",
    )
    if corrected or not (wrong_year or wrong_sex):
        return [warn("number_matches_person", sentence, path)]
    return [refuse("number_matches_person", path, number, sentence, "001326000123")]


def _mother_age(opened: OpenedAct) -> Iterable[Finding]:
    sealed = opened.subject.sealed
    day = str(opened.subject.member.get("event_date", opened.act.event_date))
    born = sealed.get("mother_details.birth_date") or sealed.get("mother_details.birth_year")
    if born is None:
        return []
    text = str(born)
    years = age(text, day) if is_date(text) else int(day[:4]) - int(text)
    if MOTHER_AGE_MIN <= years <= MOTHER_AGE_MAX:
        return []
    sentence = ("tuổi mẹ ngoài khoảng 12 đến 60", "the mother's age is outside 12 to 60")
    return [warn("mother_age", sentence, "mother_details.birth_year")]


def _parents_named(opened: OpenedAct) -> Iterable[Finding]:
    """A certificate prints what the birth says of parents: their identities are sealed apart."""
    sentence = (
        "giấy khai sinh in họ tên cha, mẹ theo hồ sơ này: hãy ghi như trong giấy tờ của người đó",
        "certificates show the name that this record gives: write it as in the parent's papers",
    )
    return [
        refuse("parents_named", f"{role}_details.name", None, sentence, "Trần Thị Lan")
        for role in ("mother", "father")
        if (parent := _parent(opened.subject, role)).identity is not None and not parent.name
    ]


def _duplicate_search(opened: OpenedAct) -> Iterable[Finding]:
    if opened.births is None:
        sentence = ("chưa tra cứu được chỉ mục khai sinh", "the index of births was not searched")
        return [warn(DUPLICATE_SEARCH, sentence)]
    found = births_found(opened)
    if not found:
        return []
    ids = ", ".join(print_id(one) for one in found)
    sentence = (
        f"có thể đã được đăng ký trong hồ sơ {ids}: cần một cán bộ khác xem xét",
        f"may be registered already as {ids}: another officer must look at it",
    )
    return [refuse(DUPLICATE_SEARCH, "name", full_name(opened.subject.sealed), sentence, "")]


def births_found(opened: OpenedAct) -> tuple[RecordId, ...]:
    """Return the births that may be the one of an act, of which nobody has decided."""
    sketch = sketch_birth(opened.record_id, opened.subject)
    births = opened.births or ()
    others = [birth for birth in births if birth.record_id not in opened.different]
    return similar_births(sketch, others)


def sketch_birth(record_id: RecordId, content: RecordContent) -> BirthSketch:
    """Return what the index compares a birth by."""
    mother, father = (_parent(content, role) for role in ("mother", "father"))
    return BirthSketch(
        record_id=record_id,
        child_name=full_name(content.sealed),
        birth_date=str(content.member.get("event_date", "")),
        mother_name=mother.name,
        mother_born=mother.born,
        mother=mother.identity,
        father_name=father.name,
        father_born=father.born,
        father=father.identity,
    )


class _Parent(NamedTuple):
    """What a birth says of a parent; None: nothing."""

    name: str | None
    born: str | None
    identity: RecordId | None


def _parent(content: RecordContent, role: str) -> _Parent:
    sealed, identity = content.sealed, content.links.get(role)
    born = sealed.get(f"{role}_details.birth_date") or sealed.get(f"{role}_details.birth_year")
    name = sealed.get(f"{role}_details.name")
    return _Parent(
        None if name is None else str(name),
        None if born is None else str(born),
        RecordId(identity) if isinstance(identity, bytes) else None,
    )


def full_name(sealed: Mapping[str, Value]) -> str:
    """Return family, middle and given name with blanks between; empty if there are none."""
    return " ".join(str(sealed[path]) for path in _NAME_PARTS if sealed.get(path) is not None)


def _geometry_valid(opened: OpenedAct) -> Iterable[Finding]:
    return geometry_findings(opened.subject)


def _same_as_birth(opened: OpenedAct) -> Iterable[Finding]:
    if opened.birth is None:
        sentence = (
            "chưa mở được hồ sơ khai sinh để so sánh",
            "the birth record was not opened to compare",
        )
        return [warn(SAME_AS_BIRTH, sentence)]
    sentence = (
        "khác với hồ sơ khai sinh hiện hành; phải cải chính hoặc thay đổi ở đó trước",
        "differs from the birth record as it is now: correct or change it there first",
    )
    sealed = opened.subject.sealed
    return [
        refuse(SAME_AS_BIRTH, path, sealed.get(path), sentence, "")
        for path in differing_paths(sealed, opened.birth)
    ]


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "appeared_in_person": _appeared_in_person,
        DUPLICATE_SEARCH: _duplicate_search,
        "evidence_kind": _evidence_kind,
        "geometry_valid": _geometry_valid,
        "mother_age": _mother_age,
        "name_letters": _name_letters,
        "number_matches_person": _number_matches_person,
        "parents_named": _parents_named,
        SAME_AS_BIRTH: _same_as_birth,
    }
)
"""Name -> rule, for schemas to list as `attested`."""
