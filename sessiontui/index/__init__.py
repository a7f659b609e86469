"""Text and figures of all sessions of a source, kept in a file between runs."""
