"""The looks of the web app: a calm theme and the little CSS that it cannot express."""

from __future__ import annotations

import gradio as gr

CSS = """
.gradio-container > main, .gradio-container .main { max-width: 1200px !important; margin: 0 auto !important; }
.gradio-container { padding: 20px 16px 40px !important; }
.gradio-container > .main { padding: 0 !important; }
#heading { text-align: center; padding: 12px 8px 0; }
#heading h1 { font-size: 2.3rem; font-weight: 600; letter-spacing: -0.02em; margin: 0 0 4px; }
#heading p { color: var(--body-text-color-subdued); font-size: 1.05rem; margin: 0; }
#family { text-align: center; }
#family span { display: inline-block; padding: 4px 14px; border-radius: 999px; font-size: 0.9rem;
  background: var(--color-accent-soft); color: var(--body-text-color); overflow-wrap: anywhere; }
#family span.missing { border-radius: 12px; padding: 10px 16px; text-align: left; white-space: pre-wrap;
  border: 1px solid #d97706; background: color-mix(in srgb, #d97706 12%, transparent); }
.card { background: var(--background-fill-primary); border: 1px solid var(--border-color-primary);
  border-radius: 16px; padding: 22px 24px 24px !important; gap: 16px !important;
  box-shadow: 0 1px 2px rgb(0 0 0 / 5%), 0 8px 24px -16px rgb(0 0 0 / 18%); }
.card h2 { font-size: 1.25rem; font-weight: 600; margin: 0; }
.card h2 + p { color: var(--body-text-color-subdued); margin: 4px 0 0; }
.status { font-size: 0.95rem; line-height: 1.5; }
.status-line .html-container { padding: 0 2px !important; }
.status .words { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 16px;
  overflow-wrap: anywhere; }
.status .aside { color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
.status.done .words::before { content: "✓"; color: var(--color-accent); font-weight: 700; }
.status.failed { border-left: 3px solid #dc2626; padding-left: 12px; }
.status.done .words, .status.failed .words { justify-content: flex-start; flex-wrap: nowrap; gap: 8px; }
.status progress { appearance: none; display: block; width: 100%; height: 8px; margin-top: 8px; border: 0;
  border-radius: 999px; overflow: hidden; background: var(--neutral-200); color: var(--color-accent); }
.dark .status progress { background: var(--neutral-700); }
.status progress::-webkit-progress-bar { background: transparent; }
.status progress::-webkit-progress-value { background: var(--color-accent); border-radius: 999px; }
.status progress::-moz-progress-bar { background: var(--color-accent); border-radius: 999px; }
.status progress:indeterminate { animation: waiting 1.6s linear infinite; background: var(--neutral-200)
  linear-gradient(90deg, transparent, var(--color-accent), transparent) 0 0 / 50% 100% repeat-x; }
@keyframes waiting { to { background-position: 200% 0; } }
@media (prefers-reduced-motion: reduce) { .status progress:indeterminate { animation: none; } }
#keyframes .thumbnail-item, #frames .thumbnail-item { aspect-ratio: 4 / 5; }
#frames:has(.empty) { display: none; }
@media (max-width: 640px) {
  .gradio-container { padding: 8px 10px 32px !important; }
  .card { padding: 16px 14px 18px !important; border-radius: 12px; }
  #heading h1 { font-size: 1.8rem; }
  #keyframes .grid-container, #frames .grid-container { grid-template-columns: repeat(2, minmax(0, 1fr)) !important; }
}
"""


def theme() -> gr.themes.Base:
    """Teal on warm grey, light and dark, with fonts that come with gradio: no page asks another host for one."""
    return gr.themes.Default(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        # Bold, because gradio's copy of the semi-bold weight lacks most letters.
        font=(gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        block_shadow="none",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )
