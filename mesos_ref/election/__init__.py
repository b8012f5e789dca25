"""Leadership: who leads, in which epoch, and how everybody learns of it."""
