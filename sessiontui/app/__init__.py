"""The Textual application: nowhere else is Textual known.

| where | what |
| --- | --- |
| `app` | the application itself: composes and routes, nothing more |
| `action_table`, `actions`, `commands` | every key, and from it bindings, footer, palette, help |
| `controllers/` | what the user does, from the key to the line that tells what came of it |
| `screens/` | the main screen, other full screens, dialogs |
| `widgets/` | the list, the transcript and what stands around them |
| `format`, `columns`, `findings`, `snippets` | values as text: sizes, times, cells, lines |
| `theme`, `ascii` | colours and signs |
| `terminal`, `driver` | whether the terminal is still there, and how it is read and written |
| `lending`, `pager` | the terminal given to another program |
"""
