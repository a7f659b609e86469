"""Widgets: they show what they are given and speak by message."""
