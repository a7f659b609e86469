"""The Textual application: nowhere else is Textual known.

| where | what |
| --- | --- |
| `app` | the application itself: composes and routes, nothing more |
| `actions`, `keymap`, `commands` | every action and its keys; bindings, footer, palette, help |
| `controllers/` | what the user does, from the key to the line that tells the result |
| `screens/` | the main screen, other full screens, dialogs |
| `widgets/` | the session list, the transcript and what stands around them |
| `format`, `columns` | values as text; the columns of the list |
| `theme` | colours, and what ASCII draws instead of symbols |
| `terminal`, `driver`, `timers` | other programs in the terminal; reading keys; timers |
"""
