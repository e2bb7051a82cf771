"""Random small networks of the operators that Paddle's pose models and our passes deal with."""
