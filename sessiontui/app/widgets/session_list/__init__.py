"""The list of sessions: `tree` is the widget, `canvas` paints it, `lines` draws one line.

Above it stand `header`, with the order and the headings of columns, and `filter_line`.
"""
