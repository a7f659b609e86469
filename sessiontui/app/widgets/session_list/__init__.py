"""The list of sessions: `tree` is the widget, `canvas` paints it, `lines` says how a line looks."""
