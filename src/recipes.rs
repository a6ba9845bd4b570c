//! Which environment a program needs on these cards, from config/recipes.toml.
