"""A session to read: pages of bytes, entries, display blocks; through an injected read."""
