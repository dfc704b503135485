"""What schemathesis must know of this API: pieces of an upload are sent as bytes are."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
