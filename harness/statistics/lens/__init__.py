"""A group lens: ratings predicted from features of a text, and what such predictions may be used for (methods 6)."""
