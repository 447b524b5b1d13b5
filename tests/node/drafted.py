"""Entries drafted as an office's program does it, sealed bodies and all, for a node of the town."""

import hashlib
from itertools import count

from keys.hashing import sha256
from keys.signing import Purpose
from ledger.ids import ActId
from ledger.parts import CustodySigner, Evidence
from node.access import Access
from registry.acts import Act, RecordContent
from registry.civil_calendar import civil_date
from registry.code_tables import record_type
from registry.custodian_messages import parse_reply, print_request
from registry.drafting import (
    Desk,
    compose_act,
    custodian_request,
    draft_of,
    prepare_act,
    seal_act,
)
from registry.drafts import add_signature, missing_keys, print_draft
from registry.form_kinds import find_form
from registry.signer_plan import Hands, Scene, plan_signers
from tests.node.public_town import plain
from tests.node.town_chain import service_key
from tests.registry.town import key, office, seed

_ACTS = count()
SCANS = Evidence(sufficient=True, official=False, digests=(sha256(b"scan"),))
SEALED_IDENTITY = {
    "name.family": "Nguyễn",
    "name.given": "An",
    "sex": "female",
    "nationality": "VN",
    "residence": "12 Hàng Lụa",
    "personal_number": "001190000123",
}


def drawer(name):
    numbers = count()
    return lambda size: hashlib.shake_256(f"{name} {next(numbers)}".encode()).digest(size)


class Bureau:
    """An office of the node's agency with its two officers."""

    def __init__(self, api, agency):
        self.api = api
        self.agency = agency
        self.auth = key(agency, "register", "auth")
        self.hands = Hands(
            officers={
                "officer(register)": key(agency, "register").public.key_id,
                "second_officer(approve)": key(agency, "approve").public.key_id,
            },
            custodian=key(agency, "custodian").public.key_id,
        )
        names = [(agency, "register"), (agency, "approve")]
        self.keys = {key(*one).public.key_id: key(*one) for one in names}

    @property
    def state(self):
        return self.api.node.application.state()

    def find_type(self, name):
        return record_type(self.state, name, self.api.node.application.tip_height + 1)

    def seal(self, act, hands=None, target=None, not_after_ms=None):
        """Prepare and seal an act."""
        form_kind = find_form(act.kind, self.find_type)
        clock = self.api.node.clock
        scene = Scene(
            state=self.state,
            day=civil_date(clock.now_ms()),
            record_type=form_kind.record_type,
            record_id=None if target is None else target.record_id,
            row=None if target is None else target.row,
            act=act,
            operation=form_kind.operation,
        )
        desk = Desk(
            network_id=self.api.node.genesis.network_id,
            office=office(self.agency),
            act_id=ActId(seed("drafted", next(_ACTS))[:16]),
            not_after_ms=not_after_ms or clock.now_ms() + 3_600_000,
        )
        signers = plan_signers(scene, hands or self.hands)
        prepared = prepare_act(form_kind, act, desk, signers, target)
        return seal_act(prepared, drawer(desk.act_id))

    def request(self, sealed):
        return print_request(
            custodian_request(sealed, service_key(self.agency, Purpose.SEAL).public)
        )

    async def prepare(self, sealed, asker=None):
        """Ask the custodian; return its answer."""
        body = self.request(sealed)
        return await self.api.post("/v1/custodian/prepare", body, asker or self.auth)

    async def draft(self, sealed, asker=None, more=()):
        """Prepare, compose, and sign with everybody's key but the custodian's."""
        answer = await self.prepare(sealed, asker)
        assert answer.status == 200, answer.body
        reply = parse_reply(answer.body)
        entry = compose_act(sealed, reply, drawer(sealed.prepared.head.act_id + b"blinds"))
        draft = draft_of(sealed, entry, {})
        known = self.keys | {one.public.key_id: one for one in more}
        for key_id in missing_keys(draft):
            if key_id in known:
                signature = known[key_id].sign(entry.sign_message)
                draft = add_signature(draft, known[key_id].public, signature)
        return draft

    async def sign(self, draft, asker=None):
        return await self.api.post("/v1/custodian/sign", print_draft(draft), asker or self.auth)

    def finished(self, draft, answer):
        """The draft with the custodian's signature."""
        assert answer.status == 200, answer.body
        key_id, signature = plain(answer.body)
        custodian = key(self.agency, "custodian").public
        assert key_id == custodian.key_id
        return add_signature(draft, custodian, signature)


def identity_act(api, **sealed):
    day = Access(api.node.application, api.node.clock).today
    content = RecordContent(
        member={"birth_date": "1990-05-05"}, sealed={**SEALED_IDENTITY, **sealed}
    )
    return Act(kind="identity/create", event_date=day, records=(content,), evidence=SCANS)


def signers_of(entry):
    return [
        key_id
        for signer in entry.head.signers
        for key_id in (signer.officers if isinstance(signer, CustodySigner) else (signer.key_id,))
    ]
