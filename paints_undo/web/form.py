"""The widgets of the three steps by the names of their settings, and their wires to the scripts of the workbench.

All of it happens in the browser: a button hands the values of the widgets to a script, which asks the server; what the
server says comes back as new values of the widgets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from paints_undo.options import OF_NETWORKS, OF_STROKES, RANGES, SETTINGS, UndoOptions
from paints_undo.web.components import Slider
from paints_undo.web.settings import flat
from paints_undo.words.languages import say, table

IN_THE_BROWSER: dict[str, Any] = {"fn": None, "api_visibility": "private", "show_progress": "hidden"}


class Form:
    """Filled by the layout, step by step; connected to the workbench at the end."""

    artwork: gr.Image
    recipes: dict[str, gr.Button]

    def __init__(self, defaults: UndoOptions) -> None:
        """defaults: of the family, which say, too, whether it draws strokes, and so has no settings of networks."""
        self.in_strokes = defaults.in_strokes
        self.fields: dict[str, gr.components.Component] = {}
        self.buttons: dict[str, gr.Button] = {}
        # The widgets with words by the keys of these, and after a space what tells one from others with the same words.
        self.worded: dict[str, gr.blocks.Block] = {}
        self._defaults = flat(defaults)

    def text(self, name: str, **look: Any) -> None:
        """A field for the text of this setting, or for a list."""
        default = self._defaults[name]
        value = ", ".join(map(str, default)) if isinstance(default, list) else default
        self._add(name, gr.Textbox, **{"value": value, **look})

    def slider(self, name: str, bounds: tuple[float, float] | None = None, step: float = 1) -> None:
        """A number, between the bounds of its setting if no others are given; beside a seed, its two buttons."""
        low, high = bounds or RANGES[name]
        self._add(name, Slider, minimum=low, maximum=high, value=self._defaults[name], step=step, min_width=150)
        if name.endswith("seed"):
            with gr.Row(elem_classes="seed", visible=self.fields[name].visible):
                for words in ("seed.random", "seed.last"):
                    self.worded[f"{words} {name}"] = gr.Button(say(words), size="sm", min_width=100)

    def choice(self, name: str) -> None:
        """One of the choices of this setting; the first one where the family's own is none of them."""
        choices = SETTINGS[name].choices
        value = self._defaults[name] if self._defaults[name] in choices else choices[0]
        self._add(name, gr.Radio, choices=[(say(f"field.{name}.of.{one}"), one) for one in choices], value=value)

    def tick(self, name: str, value: bool = False) -> None:
        """Yes or no."""
        self._add(name, gr.Checkbox, value=value)

    def _add(self, name: str, widget: Callable[..., gr.components.Component], **look: Any) -> None:
        words = {"label": say(f"field.{name}")}
        if f"field.{name}.info" in table():
            words["info"] = say(f"field.{name}.info")
        useless = {*OF_NETWORKS, "size", "prompt"} if self.in_strokes else OF_STROKES
        added = widget(elem_id=f"field-{name}", visible=name not in useless, **words, **look)
        self.fields[name] = self.worded[f"field.{name}"] = added

    def accordion(self, of_networks: bool = False) -> gr.Accordion:
        """A place for the settings that most people leave alone; of_networks: for networks' alone."""
        visible = not (of_networks and self.in_strokes)
        accordion = gr.Accordion(say("field.settings"), open=False, visible=visible)
        self.worded[f"field.settings {len(self.worded)}"] = accordion
        return accordion

    def button(self, step: str) -> None:
        """One of the three buttons; locked until the step before is done."""
        look: dict[str, Any] = {"elem_id": f"generate-{step}", "visible": not (self.in_strokes and step == "prompt")}
        button = gr.Button(say(f"button.{step}"), variant="primary", interactive=False, **look)
        self.buttons[step] = self.worded[f"button.{step}"] = button
        self.note(f"reason-{step}")

    def note(self, place: str) -> None:
        """Where the scripts say what is wrong with the widget before it."""
        gr.HTML(f"<div id='{place}'></div>", apply_default_css=False, padding=False)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """What the options allow, which can be more than a slider spans; the sliders go as far as the original's."""
        return {name: RANGES[name] for name in self.fields if name in RANGES and name != "operation_steps"}

    def connect(self, bench: gr.HTML) -> None:
        """Let the scripts of the workbench read, fill, lock and translate the widgets."""
        values = [self.artwork, *self.fields.values()]
        prompt, in_pieces, buttons = self.fields["prompt"], self.fields["long_prompt"], list(self.buttons.values())
        facts = [self.artwork, prompt, in_pieces]
        unlock = "(...facts) => window.paintsUndo?.buttonStates(...facts) ?? []"
        for event in (bench.unlock, self.artwork.change, prompt.change, in_pieces.change):
            event(inputs=facts, outputs=buttons, js=unlock, trigger_mode="always_last", **IN_THE_BROWSER)
        bench.fill(inputs=None, outputs=values, js="() => paintsUndo.formValues()", **IN_THE_BROWSER)
        bench.changed(inputs=None, outputs=values[1:], js="() => paintsUndo.changedValues()", **IN_THE_BROWSER)
        worded = list(self.worded.values())
        bench.reword(inputs=None, outputs=worded, js="() => paintsUndo.labelUpdates()", **IN_THE_BROWSER)

        self.artwork.input(inputs=self.artwork, js="(file) => paintsUndo.newArtwork(file)", **IN_THE_BROWSER)
        bench.make(inputs=values, js=_call("press", "all"), **IN_THE_BROWSER)
        for step, button in self.buttons.items():
            button.click(inputs=values, js=_call("press", step), **IN_THE_BROWSER)
        for name, button in self.recipes.items():
            button.click(inputs=values, js=_call("recipe", name), **IN_THE_BROWSER)
        for name in ("seed", "video_seed"):
            chance, last = self.worded[f"seed.random {name}"], self.worded[f"seed.last {name}"]
            chance.click(outputs=self.fields[name], js="() => paintsUndo.randomSeed()", **IN_THE_BROWSER)
            last.click(outputs=self.fields[name], js=f"() => paintsUndo.lastSeed('{name}')", **IN_THE_BROWSER)
        steps, size = self.fields["operation_steps"], self.fields["size"]
        steps.blur(inputs=steps, outputs=steps, js="(text) => paintsUndo.leaveSteps(text)", **IN_THE_BROWSER)
        for name in ("width", "height"):
            self.fields[name].input(outputs=size, js="() => false", **IN_THE_BROWSER)


def _call(function: str, what: str) -> str:
    return f"(...values) => {{ paintsUndo.{function}('{what}', ...values); }}"
