"""The formats of coding agents: how each writes a session, and where and how it runs.

| where | what |
| --- | --- |
| `jsonl` | a line of a session and its entries, both ways |
| `blocks`, `tools` | the display blocks of a transcript; tool calls and their results as blocks |
| `base` | what is asked of every format, and of a translator |
| `omp`, `pi`, `claude`, `codex` | all that is known of an agent, a module each |
| `registry` | every agent, a line each; what reads an entry, whichever agent wrote it |
| `live`, `processes` | whether an agent runs a session: proof, or a guess |
| `title_slot` | the two places where omp keeps a title beside the header |
| `resume` | the command that resumes a session |
"""
