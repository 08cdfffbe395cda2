"""Lets Schemathesis send bodies of type application/x-ndjson, which the OpenAPI description can only describe as text."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: Any, value: Any) -> bytes:
    # Generated text may contain surrogates without their other half.
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
