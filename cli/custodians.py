"""Which custodian seals for an office, where it answers, and what is asked of it.

The custodian is the vault service of the office's agency: it makes wraps and tags before there is
an entry, and signs last, after opening every body and running the office rules again.
"""

from dataclasses import dataclass

from cli.client import MSGPACK, Call, Client
from cli.errors import InvalidInputError, NoNetworkError, NotFoundError
from cli.network_file import NetworkFile
from keys.signing import KEY_ID_BYTES, PublicKey, Purpose
from keys.signing import Signer as KeyHolder
from ledger.canonical import decode
from ledger.fields import read_array, read_bytes, read_bytes_up_to
from ledger.genesis import Genesis
from ledger.ids import AgencyId, OfficeId
from ledger.quorum import SIGNATURE_BYTES_MAX
from registry.authority_rows import AgencyRow, KeyRow, OfficeRow
from registry.custodian_messages import (
    CustodianReply,
    CustodianRequest,
    parse_reply,
    print_request,
)
from registry.drafts import Draft, add_signature, print_draft
from registry.state import State
from registry.state_key_names import agency_key, key_key, office_key

ANSWER_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Custodian:
    """The vault service of an agency.

    Attributes:
        agency_id: Whose.
        key: Its signing key.
        seal_key: To which data keys are wrapped for it.
    """

    agency_id: AgencyId
    key: PublicKey
    seal_key: PublicKey


def custodian_of(genesis: Genesis, state: State, office: OfficeId) -> Custodian:
    """Return the custodian of an office; for offices of genesis nobody is asked.

    Raises:
        NotFoundError: There is no such office, or its agency has no such keys.
    """
    for part in genesis.parts:
        if part.office.office_id == office:
            return Custodian(part.agency_id, part.keys["custodian"], part.keys["seal"])
    row = state.read(office_key(office), OfficeRow)
    agency = None if row is None else state.read(agency_key(row.agency), AgencyRow)
    if row is None or agency is None:
        raise NotFoundError("there is no such office", name=office.hex())
    found = [
        state.read(key_key(agency.keys[purpose]), KeyRow)
        for purpose in (Purpose.CUSTODIAN, Purpose.SEAL)
        if purpose in agency.keys
    ]
    keys = [row.public_key for row in found if row is not None]
    if len(keys) != 2:  # noqa: PLR2004 - both
        raise NotFoundError("the agency has no custodian", name=row.agency.hex())
    return Custodian(row.agency, *keys)


def node_address(network: NetworkFile, agency_id: AgencyId) -> str:
    """Return the base address of an agency's node.

    Raises:
        NoNetworkError: network.toml does not tell it, or no node runs in its folder.
    """
    for node in network.nodes:
        if node.agency_id == agency_id:
            if node.address:
                return node.address
            raise NoNetworkError(f"the node of {node.agency} does not run", address=node.agency)
    raise NoNetworkError("network.toml does not tell where the agency's node is", address="-")


@dataclass(frozen=True, slots=True)
class Desk:
    """A custodian with where it answers and who asks.

    Attributes:
        client: Sends requests.
        custodian: Whose service.
        address: Its node.
        asker: Holds the auth key that signs the requests.
    """

    client: Client
    custodian: Custodian
    address: str
    asker: KeyHolder

    async def prepare(self, request: CustodianRequest) -> CustodianReply:
        """Have record parts completed with wraps and tags.

        Raises:
            RemoteRefusalError: The custodian refuses.
            InvalidDataError: What came back is no reply.
        """
        return parse_reply(await self._ask("prepare", print_request(request)))

    async def sign(self, draft: Draft) -> Draft:
        """Have the custodian sign a draft that all others have signed.

        Raises:
            RemoteRefusalError: The custodian refuses.
            InvalidInputError: Another key signed.
            BadSignatureError: The signature is not over this draft.
        """
        raw = await self._ask("sign", print_draft(draft))
        key_id, signature = read_array(decode(raw, ANSWER_BYTES_MAX), "custodian's answer", 2)
        if read_bytes(key_id, "custodian's key", KEY_ID_BYTES) != self.custodian.key.key_id:
            raise InvalidInputError("another custodian signed", name="custodian")
        signed = read_bytes_up_to(signature, "custodian's signature", SIGNATURE_BYTES_MAX)
        return add_signature(draft, self.custodian.key, signed)

    async def _ask(self, verb: str, body: bytes) -> bytes:
        call = Call(
            address=self.address,
            path=f"/v1/custodian/{verb}",
            method="POST",
            body=body,
            accept=MSGPACK,
            signer=self.asker,
        )
        return (await self.client.send_async(call)).body
