"""What stands behind the widgets of the web app: jobs, the three steps, the status line and the looks."""
