"""The transcript: `pane` is the widget with its find bar, `view` shows the entries."""
