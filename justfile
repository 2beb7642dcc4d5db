# Shortcuts; each is one command that also works by itself.

# List the shortcuts.
default:
    @just --list

# Start a development server.
serve *ARGS:
    cargo run --release -- serve {{ARGS}}

# Format, lints, every test, generated files.
test:
    tests/run

# Write the generated files again.
generate:
    cargo run --release -- config reference > config/default.toml.new && mv config/default.toml.new config/default.toml
    cargo run --release -- openapi > openapi/openapi.json.new && mv openapi/openapi.json.new openapi/openapi.json

# Build the guest programs again from their sources.
guests *NAMES:
    tests/guests/build {{NAMES}}
