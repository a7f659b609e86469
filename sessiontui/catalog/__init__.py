"""What sessions are, told from the first and last bytes of each; pure: no input, no output.

| where | what |
| --- | --- |
| `catalogue` | all sessions in the order in which they are shown; the way in |
| `row`, `facts`, `heads`, `tails`, `titles`, `signs`, `activity` | from bytes to one row |
| `figures`, `projects` | counts and cost of a session; the name of a project |
| `order`, `families`, `special` | from rows to groups and branches |
| `outline`, `layout`, `lines`, `shelf`, `marks` | from groups to the lines that are shown |
| `query`, `grammar`, `conditions`, `patterns`, `search`, `haystacks` | finding as one types |
| `lately` | sums, and what changed last |
"""
