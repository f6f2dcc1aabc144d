//! Drawn street scenes with their truth, for the demonstration, tests and benches.
