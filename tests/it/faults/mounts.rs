//! Things that a scenario mounts, and that go when it ends.
