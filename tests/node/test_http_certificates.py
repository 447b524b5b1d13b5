"""A stranger asks about a certificate by its id, and learns whether it counts and nothing else."""

import pytest

from ledger.parts import ObjectPart
from ledger.state_keys import key_bytes, key_bytes_hash, read_stored_value, stored_value_hash
from ledger.state_tree import StateProof, check_presence
from registry.object_rows import CertificateRow
from registry.state_key_names import certificate_key
from tests.node.public_town import plain, served
from tests.node.test_http_public import adult, put
from tests.registry.town import by, key, two_officers

pytestmark = pytest.mark.asyncio


async def test_anyone_sees_a_certificate_turn_and_never_its_record(tmp_path):
    async with served(tmp_path) as api:
        town = api.town
        identity, entries = adult(town, "an")
        await put(api, *entries)
        entry = town.certificate(identity)
        certificate_id = entry.objects[0].fields["certificate_id"]
        path = f"/v1/certificates/{certificate_id.hex()}"
        assert (await api.get(path)).status == 404
        await put(api, entry)
        issued = (await api.get(path)).json
        assert issued == {
            "certificate": certificate_id.hex(),
            "status": "valid",
            "since_height": 2,
            "signer_compromised": False,
            "as_of_height": 2,
        }
        part = town.part("identity", identity)
        hands = [*two_officers(), by("subject", "an")]
        await put(api, town.entry("identity/correct", hands, [part], reason="clerical"))
        assert (await api.get(path)).json == {
            **issued, "status": "replaced", "since_height": 3, "as_of_height": 3,
        }  # fmt: skip
        answer = await api.get(path + "/proof")
        _version, _word, key, stored, proof, *_certified = plain(answer.body)
        assert key == certificate_key(certificate_id)
        root = api.node.application.store.header(3).state_root
        place = key_bytes_hash(key_bytes(key))
        check_presence(root, place, stored_value_hash(stored), StateProof.from_value(proof))
        row = CertificateRow.from_value(read_stored_value(stored)[1])
        assert row == CertificateRow("replaced", 3, entry.entry_digest)
        assert identity not in answer.body


@pytest.mark.parametrize("stolen", ["register", "approve"])
async def test_a_certificate_says_that_a_stolen_key_signed_it_or_its_record(stolen, tmp_path):
    async with served(tmp_path) as api:
        town = api.town
        identity, entries = adult(town, "an")
        await put(api, *entries)
        entry = town.certificate(identity)
        await put(api, entry)
        path = f"/v1/certificates/{entry.objects[0].fields['certificate_id'].hex()}"
        assert (await api.get(path)).json["signer_compromised"] is False
        stolen_id = key("justice", stolen).public.key_id
        govern = [by("agency", "justice", "govern", number) for number in range(2)]
        made = [ObjectPart("key_end", {"key_id": stolen_id, "compromised_since_ms": 0})]
        await put(api, town.entry("officer/revoke_key", govern, objects=made, office=None))
        said = (await api.get(path)).json
        assert (said["status"], said["signer_compromised"]) == ("valid", True)
