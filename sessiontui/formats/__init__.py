"""The formats of coding agents: how each writes a session, and where and how it runs.

| where | what |
| --- | --- |
| `jsonl` | a line of a session and its entries, both ways |
| `blocks`, `tools` | the display blocks of a transcript; tool calls and their results as blocks |
| `omp`, `claude`, `codex` | each agent: entries as display blocks, and what it tells of itself |
| `live`, `evidence`, `processes` | whether an agent runs a session: proof, or a guess |
| `registry` | the blocks of any entry, whichever agent wrote it |
| `title_slot` | the two places where omp keeps a title beside the header |
| `roots`, `resume` | where agents keep sessions; the command that resumes one |
"""
