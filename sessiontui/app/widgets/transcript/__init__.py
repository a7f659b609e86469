"""The transcript of a session.

`pane` is the widget with its find bar. `view` is what is read, in layers: a `viewport` that reads
on (`loader`), finds text (`finder`) and shows one branch (`branch_view`). `row_index` knows where
rows stand, `layout` which they are, `styled_text` and `painter` how they look.
"""
