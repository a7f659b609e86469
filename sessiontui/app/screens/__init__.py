"""Screens and dialogs; `main` is the main screen.

Other full screens are `search_screen`, `doctor_screen`, `help_screen` and `diagnostics`. Lists over
the transcript build on `list_screen`, and what asks a question on `dialog`.
"""
