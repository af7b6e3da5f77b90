"""SmolLM2-135M-Instruct as a text-only teacher."""
