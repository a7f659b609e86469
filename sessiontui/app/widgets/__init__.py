"""Widgets: they show what they are given and speak by message.

The list is `session_tree` on its canvas. The transcript is `transcript`, in layers: a view
(`transcript_view`) that reads on (`_paging`), finds (`_find`) and shows one branch (`_lens`);
`transcript_flow` knows where rows stand, `_layout` and `_rows` which they are, `_lines`, `_text`,
`_code` and `_headings` how they look.
"""
