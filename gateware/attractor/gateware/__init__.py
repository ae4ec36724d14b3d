"""From a spec to a bitstream: boards, top level, synthesis, place and route, bundles."""
