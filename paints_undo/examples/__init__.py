"""Example pictures of the web app and the script that draws them."""
