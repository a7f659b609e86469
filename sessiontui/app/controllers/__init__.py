"""What the user does, one topic a module: from a key to the line that tells the result.

Each asks with dialogs from `screens`, has the workspace do it, and tells. `screens.main`
makes them and calls them from its `action_` methods; none of them is a widget.
"""
