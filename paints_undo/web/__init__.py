"""What stands behind the widgets of the web app: the runs and jobs of visitors, the page, its words and its looks."""

from paints_undo.web.proxies import usable_proxies

with usable_proxies():  # gradio makes HTTP clients when it is imported
    import gradio  # noqa: F401
