"""The networks, one file for each checkpoint part: no files, no devices, no sampling."""
