"""What the app and the command line both run on: the source, its rows, the open transcripts.

| where | what |
| --- | --- |
| `workspace`, `connection`, `events` | the workspace, its source, what it tells |
| `rows`, `row_reader`, `open_documents` | keeping rows and transcripts current |
| `in_use` | whether a running agent may have a session open |
| `delete`, `rename`, `exporter`, `bulk` | what is done to sessions, one or many |
| `transfer`, `copy_stream` | copies and moves to another store |
| `scan`, `repair` | what the doctor finds and repairs |
| `view_state`, `unsaved_writes` | what outlives a run: the state of the list, unconfirmed writes |
"""

from sessiontui.search.session_index import SessionIndex
from sessiontui.workspace.bulk import Failure, Outcome
from sessiontui.workspace.delete import Trashed, last_deletion
from sessiontui.workspace.events import (
    DeletePlan,
    Diagnostics,
    DocumentChanged,
    DocumentGone,
    Problem,
    RowsChanged,
    SessionInUse,
    StateChanged,
    Update,
    WorkspaceState,
)
from sessiontui.workspace.workspace import Workspace, open_workspace

__all__ = [
    "DeletePlan",
    "Diagnostics",
    "DocumentChanged",
    "DocumentGone",
    "Failure",
    "Outcome",
    "Problem",
    "RowsChanged",
    "SessionInUse",
    "SessionIndex",
    "StateChanged",
    "Trashed",
    "Update",
    "Workspace",
    "WorkspaceState",
    "last_deletion",
    "open_workspace",
]
