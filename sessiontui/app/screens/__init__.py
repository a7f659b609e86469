"""Screens and dialogs; `main` is the main screen.

Other full screens are `search_screen`, `doctor_screen`, `help_screen` and `diagnostics`. Lists over
the transcript build on `list_screen`, what asks a question on `dialog`, and all of them on `base`.
"""
