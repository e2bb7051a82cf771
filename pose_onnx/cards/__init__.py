"""Model cards: what a model is, where its card is read from, and which file a name stands for."""
