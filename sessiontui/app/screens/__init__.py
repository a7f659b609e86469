"""Screens and dialogs: `main` has the keys of the main screen, `main_panes` its layout.

Other full screens are `search`, `doctor`, `help` and `diagnostics`; lists over the transcript build
on `listed`, and what asks a question on `dialog`.
"""
