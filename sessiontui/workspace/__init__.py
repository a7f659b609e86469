"""What the app and the command line both run on: the source, its rows, the open transcripts."""

from sessiontui.workspace.values import (
    DeletePlan,
    DocumentChanged,
    DocumentGone,
    Held,
    Problem,
    RowsChanged,
    StateChanged,
    Update,
    WorkspaceState,
)
from sessiontui.workspace.workspace import Workspace, now_ms, open_workspace

__all__ = [
    "DeletePlan",
    "DocumentChanged",
    "DocumentGone",
    "Held",
    "Problem",
    "RowsChanged",
    "StateChanged",
    "Update",
    "Workspace",
    "WorkspaceState",
    "now_ms",
    "open_workspace",
]
