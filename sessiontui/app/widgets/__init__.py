"""Widgets: they show what they are given and speak by message.

`session_list/` is the list on the left, `transcript/` the transcript on the right.
"""
