"""The description of the public API, made from the table of routes (OpenAPI 3.1)."""

import re
from collections.abc import Iterable
from typing import Final

from node.problems import PROBLEM_TYPE
from node.routes import MSGPACK, Json, Rights, Route

_NAME: Final = re.compile(r"\{([a-z]+)\}")
_RIGHTS: Final = {
    Rights.ANYONE: "Anyone may ask.",
    Rights.SIGNED: "The request must be signed (RFC 9421) with an auth or peer key in force.",
    Rights.MEMBER: "Signed requests of member agencies and their officers only.",
}


def describe(routes: Iterable[Route], version: str) -> Json:
    """Return the OpenAPI document of the public routes."""
    paths: dict[str, Json] = {}
    for route in routes:
        if not route.private:
            methods = paths.setdefault(route.path, {})
            assert isinstance(methods, dict)
            methods[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "civreg node",
            "version": version,
            "description": "Errors are problem documents (RFC 9457) with a stable `code`.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {
                "signature": {"type": "apiKey", "in": "header", "name": "Signature"}
            },
        },
    }


def _operation(route: Route) -> Json:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _NAME.findall(route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in route.query.items()
    ]
    operation: dict[str, Json] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": _RIGHTS[route.rights],
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": {route.gives: _schema(route.gives)}},
            "default": {
                "description": "Refused.",
                "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if route.takes:
        operation["requestBody"] = {
            "required": True,
            "description": f"At most {route.body_bytes_max} bytes.",
            "content": {route.takes: _schema(route.takes)},
        }
    if route.rights is not Rights.ANYONE:
        operation["security"] = [{"signature": []}]
    return operation


def _schema(media: str) -> dict[str, Json]:
    if media == MSGPACK:
        return {"schema": {"type": "string", "contentEncoding": "binary"}}
    return {"schema": {}}


_PROBLEM: Final[Json] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; docs/errors.md lists all codes."},
    },
}
