//! What runs inside the guests: PID 1, the scenarios, and what they share.
