"""Who answers: loading through lm-eval's registry, identity, elicitation of a scale, generation."""
