"""The geometry of a parcel: is it GeoJSON in WGS 84, and is it what the public digest says?

Whether a parcel lies in its unit, its children in their parent, and none on a neighbour needs exact
polygon arithmetic over other titles' geometries; that is not here, so the rule always warns.

Source: RFC 7946; records.md, section 6.6.
"""

import json
from decimal import Decimal
from typing import Any, Final, TypeGuard

from keys.hashing import Digest, sha256
from registry.acts import RecordContent
from registry.office_findings import Finding, refuse, warn

RING_POINTS_MIN: Final = 4
LONGITUDE_MAX: Final = 180
LATITUDE_MAX: Final = 90

_RULE: Final = "geometry_valid"
_EXAMPLE: Final = '{"type": "Point", "coordinates": [105.85, 21.03]}'


def geometry_digest(geometry: str) -> Digest:
    """Return the public digest of a geometry's text: its SHA-256, 32 bytes."""
    return sha256(geometry.encode())


def geometry_findings(content: RecordContent) -> list[Finding]:
    """Return what is wrong with the geometry of a land title; at best one warning."""
    text = content.sealed.get("geometry")
    unverified = warn(
        _RULE,
        (
            "chưa kiểm tra ranh giới với đơn vị và thửa bên",
            "not checked against unit and neighbours",
        ),
        "geometry",
    )
    if not isinstance(text, str):
        return [unverified]
    found = [unverified]
    if content.member.get("geometry_digest") != geometry_digest(text):
        sentence = ("mã băm không phải của ranh giới", "the digest is not that of the geometry")
        found.append(refuse(_RULE, "geometry_digest", None, sentence, geometry_digest(text).hex()))
    if not _is_geometry(text):
        sentence = ("không phải GeoJSON đúng", "is not valid GeoJSON in WGS 84")
        found.append(refuse(_RULE, "geometry", text, sentence, _EXAMPLE))
    return found


def _is_geometry(text: str) -> bool:
    """Tell whether a text is a Point, Polygon or MultiPolygon with possible coordinates."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    coordinates = value.get("coordinates")
    match value.get("type"):
        case "Point":
            return _is_position(coordinates)
        case "Polygon":
            return _is_polygon(coordinates)
        case "MultiPolygon":
            return _is_filled(coordinates) and all(map(_is_polygon, coordinates))
        case _:
            return False


def _is_polygon(rings: object) -> bool:
    return _is_filled(rings) and all(map(_is_ring, rings))


def _is_ring(ring: object) -> bool:
    if not _is_filled(ring) or len(ring) < RING_POINTS_MIN:
        return False
    return all(map(_is_position, ring)) and ring[0] == ring[-1]


def _is_position(position: object) -> bool:
    if not _is_filled(position) or not all(type(part) in {int, Decimal} for part in position):
        return False
    if len(position) not in {2, 3}:
        return False
    longitude, latitude = position[0], position[1]
    return bool(
        -LONGITUDE_MAX <= longitude <= LONGITUDE_MAX and -LATITUDE_MAX <= latitude <= LATITUDE_MAX
    )


def _is_filled(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and bool(value)


def _refuse_constant(word: str) -> None:
    raise ValueError(word)
