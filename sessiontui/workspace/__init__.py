"""What the app and the command line both run on: the source, its rows, the open transcripts.

| where | what |
| --- | --- |
| `workspace`, `opening`, `connect`, `values` | the workspace, its source, what it tells |
| `rows`, `reader`, `documents`, `notes` | keeping catalogue and transcripts current |
| `rights`, `holding` | whether anything may be changed; whether an agent holds a session open |
| `deletions`, `renaming`, `exports`, `bulk` | what is done to sessions, one or many |
| `transfers`, `destination`, `pouring`, `recast` | copies and moves to another store |
| `checkup`, `repairs` | gathering facts for the doctor's rules; carrying out what they advise |
| `library`, `indexing`, `counting`, `searching` | text and figures of all sessions, by the index |
| `remembered`, `unconfirmed` | what outlives a run: how the list was left, writes nobody took |
"""

from sessiontui.search.session_index import Library
from sessiontui.workspace.bulk import Failure, Outcome
from sessiontui.workspace.delete import Trashed, last_deletion
from sessiontui.workspace.events import (
    DeletePlan,
    DocumentChanged,
    DocumentGone,
    Figures,
    Held,
    Problem,
    RowsChanged,
    StateChanged,
    Update,
    WorkspaceState,
)
from sessiontui.workspace.opening import open_workspace
from sessiontui.workspace.workspace import Workspace

__all__ = [
    "DeletePlan",
    "DocumentChanged",
    "DocumentGone",
    "Failure",
    "Figures",
    "Held",
    "Library",
    "Outcome",
    "Problem",
    "RowsChanged",
    "StateChanged",
    "Trashed",
    "Update",
    "Workspace",
    "WorkspaceState",
    "last_deletion",
    "open_workspace",
]
