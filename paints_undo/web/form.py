"""The widgets of the three steps by the names of their settings, and their wires to the scripts of the workbench.

All of it happens in the browser: a button hands the values of the widgets to a script, which asks the server; what the
server says comes back as new values of the widgets.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from paints_undo.options import OF_NETWORKS, OF_STROKES, RANGES
from paints_undo.words.languages import say

IN_THE_BROWSER: dict[str, Any] = {"fn": None, "api_visibility": "private", "show_progress": "hidden"}


class Form:
    """Filled by the layout, step by step; connected to the workbench at the end."""

    artwork: gr.Image
    recipes: dict[str, gr.Button]

    def __init__(self, in_strokes: bool = False) -> None:
        """in_strokes: whether the family draws strokes, and so has no settings of networks."""
        self.in_strokes = in_strokes
        self.fields: dict[str, gr.components.Component] = {}
        self.buttons: dict[str, gr.Button] = {}
        self._seeds: list[tuple[str, gr.Button, gr.Button]] = []
        self._accordions: list[gr.Accordion] = []

    def add(self, name: str, widget: gr.components.Component) -> None:
        """A widget for the setting of this name."""
        widget.elem_id = f"field-{name}"
        if name in OF_STROKES if not self.in_strokes else name in {*OF_NETWORKS, "size", "prompt"}:
            widget.visible = False
        self.fields[name] = widget

    def add_seed(self, name: str, widget: gr.components.Component) -> None:
        """A seed, with a button for a random one and one for the seed of the run on show."""
        self.add(name, widget)
        with gr.Row(elem_classes="seed", visible=widget.visible):
            chance = gr.Button(say("seed.random"), size="sm", min_width=100)
            last = gr.Button(say("seed.last"), size="sm", min_width=100)
        self._seeds.append((name, chance, last))

    def accordion(self, of_networks: bool = False) -> gr.Accordion:
        """A place for the settings that most people leave alone; of_networks: for networks' alone."""
        visible = not (of_networks and self.in_strokes)
        self._accordions.append(gr.Accordion(say("field.settings"), open=False, visible=visible))
        return self._accordions[-1]

    def button(self, step: str) -> None:
        """One of the three buttons; locked until the step before is done."""
        name = say(f"button.{step}")
        widget = gr.Button(name, variant="primary", interactive=False, elem_id=f"generate-{step}")
        widget.visible = not (self.in_strokes and step == "prompt")
        self.buttons[step] = widget
        self.note(f"reason-{step}")

    def note(self, place: str) -> None:
        """Where the scripts say what is wrong with the widget before it."""
        gr.HTML(f"<div id='{place}'></div>", apply_default_css=False, padding=False)

    @property
    def names(self) -> list[str]:
        """The settings in the order in which the scripts get their values."""
        return list(self.fields)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """What the options allow, which can be more than a slider spans; the sliders go as far as the original's."""
        return {name: RANGES[name] for name in self.fields if name in RANGES and name != "operation_steps"}

    @property
    def labelled(self) -> list[str]:
        """The keys of the widgets' words, in the order in which the scripts give them in another language."""
        return list(self._worded())

    def _worded(self) -> dict[str, Any]:
        seeds = {}
        for name, chance, last in self._seeds:
            seeds |= {f"seed.random {name}": chance, f"seed.last {name}": last}
        return {
            "field.artwork": self.artwork,
            **{f"field.{name}": widget for name, widget in self.fields.items()},
            **{f"field.settings {place}": accordion for place, accordion in enumerate(self._accordions)},
            **{f"button.{step}": button for step, button in self.buttons.items()},
            **{f"recipe.{name}": button for name, button in self.recipes.items()},
            **seeds,
        }

    def connect(self, bench: gr.HTML) -> None:
        """Let the scripts of the workbench read, fill, lock and translate the widgets."""
        values = [self.artwork, *self.fields.values()]
        prompt, in_pieces, buttons = self.fields["prompt"], self.fields["long_prompt"], list(self.buttons.values())
        facts = [self.artwork, prompt, in_pieces]
        unlock = "(...facts) => window.paintsUndo?.buttonStates(...facts) ?? []"
        for event in (bench.unlock, self.artwork.change, prompt.change, in_pieces.change):
            event(inputs=facts, outputs=buttons, js=unlock, trigger_mode="always_last", **IN_THE_BROWSER)
        bench.fill(inputs=None, outputs=values, js="() => paintsUndo.formValues()", **IN_THE_BROWSER)
        fields = list(self.fields.values())
        bench.changed(inputs=None, outputs=fields, js="() => paintsUndo.changedValues()", **IN_THE_BROWSER)
        worded = list(self._worded().values())
        bench.reword(inputs=None, outputs=worded, js="() => paintsUndo.labelUpdates()", **IN_THE_BROWSER)

        self.artwork.input(inputs=self.artwork, js="(file) => paintsUndo.newArtwork(file)", **IN_THE_BROWSER)
        bench.make(inputs=values, js=_call("press", "all"), **IN_THE_BROWSER)
        for step, button in self.buttons.items():
            button.click(inputs=values, js=_call("press", step), **IN_THE_BROWSER)
        for name, button in self.recipes.items():
            button.click(inputs=values, js=_call("recipe", name), **IN_THE_BROWSER)
        for name, chance, last in self._seeds:
            chance.click(outputs=self.fields[name], js="() => paintsUndo.randomSeed()", **IN_THE_BROWSER)
            last.click(outputs=self.fields[name], js=f"() => paintsUndo.lastSeed('{name}')", **IN_THE_BROWSER)
        steps, size = self.fields["operation_steps"], self.fields["size"]
        steps.blur(inputs=steps, outputs=steps, js="(text) => paintsUndo.leaveSteps(text)", **IN_THE_BROWSER)
        for name in ("width", "height"):
            self.fields[name].input(outputs=size, js="() => false", **IN_THE_BROWSER)


def _call(function: str, what: str) -> str:
    return f"(...values) => {{ paintsUndo.{function}('{what}', ...values); }}"
