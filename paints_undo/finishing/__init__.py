"""From the small frames of a run to frames of the artwork's own size: colours, detail, pacing, figures."""
