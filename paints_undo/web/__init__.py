"""What stands behind the widgets of the web app: the runs and jobs of visitors, the page, its words and its looks."""
