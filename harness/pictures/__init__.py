"""Pictures of results: forests and heat maps, as SVG, PNG or HTML."""
