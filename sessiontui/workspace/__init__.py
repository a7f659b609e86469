"""What the app and the command line both run on: the source, its rows, the open transcripts."""

from sessiontui.workspace.bulk import Failure, Outcome
from sessiontui.workspace.deletions import Trashed, last_deletion
from sessiontui.workspace.library import Library
from sessiontui.workspace.opening import open_workspace
from sessiontui.workspace.values import (
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
