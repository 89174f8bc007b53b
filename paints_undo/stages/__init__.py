"""The two stages of the network engine: keyframes from the artwork, and segments between keyframes."""
