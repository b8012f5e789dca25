"""The agent: runs tasks through executors, and keeps what they report until it is acknowledged."""
