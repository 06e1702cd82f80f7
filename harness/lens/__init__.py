"""Group lenses: what people would say of new texts, predicted from scorers, and when that is not to be believed."""
