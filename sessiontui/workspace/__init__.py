"""What the app and the command line both run on: the source, its rows, the open transcripts."""

from sessiontui.workspace.deletions import last_deletion
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
    "Figures",
    "Held",
    "Library",
    "Problem",
    "RowsChanged",
    "StateChanged",
    "Update",
    "Workspace",
    "WorkspaceState",
    "last_deletion",
    "open_workspace",
]
