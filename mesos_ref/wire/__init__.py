"""The v1 API's messages: shapes, JSON, validation.  No I/O, no decisions."""
