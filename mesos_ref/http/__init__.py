"""HTTP/1.1 on trio streams: one codec for server and client, and RecordIO over chunks."""
