"""The sessions of a source as rows: their facts, their order, filter and tree; pure.

Everything here is told from the first and last bytes of each session. No input, no output.

| where | what |
| --- | --- |
| `catalog` | all sessions in the order in which they are shown; the way in |
| `row` | one session, and the lines of the list |
| `row_builder`, `head`, `tail`, `signals`, `titles` | from bytes to a row |
| `status`, `empty` | whether its agent runs, waits or is done; whether anybody said anything |
| `stats`, `projects` | turns, tokens and cost of a session; the name of a project |
| `sorting`, `hierarchy`, `pinned` | order, parents and children, pinned sessions |
| `outline`, `height_index`, `selection` | groups and the lines that are shown; selected sessions |
| `query`, `search_text`, `conditions`, `safe_regex`, `filter` | filtering as one types |
"""
