"""A session as something to read: pages of bytes, entries, display blocks; through an injected read."""
