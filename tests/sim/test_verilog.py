"""What is changed in Verilog before Icarus reads it; that it still means the same is seen where cores run in step."""

from __future__ import annotations

from attractor.sim.verilog import _ASSIGNMENT, _assigned_at_start, _whole_assignments

BEFORE = r"""module one(a, b);
  wire [7:0] word;
  assign word[7:4] = \b.c ;
  assign word[2:0] = a[5:3];
  wire [4:0] \$1 ;
  assign word[3] = 1'h0;
  assign \$1 [0] = word[1];
  assign \$1 [4:1] = { a[1:0], b };
  wire [7:0] sum;
  assign sum[3:0] = a + b;
  assign sum[7:4] = a;
  wire [7:0] part;
  assign part[3:0] = a;
  wire [7:0] gap;
  assign gap[3:0] = a;
  assign gap[7:5] = b;
"""
AFTER = r"""module one(a, b);
  wire [7:0] word;
  assign word = { \b.c , 1'h0, a[5:3] };
  wire [4:0] \$1 ;
  assign \$1  = { { a[1:0], b }, word[1] };
  wire [7:0] sum;
  assign sum[3:0] = a + b;
  assign sum[7:4] = a;
  wire [7:0] part;
  assign part[3:0] = a;
  wire [7:0] gap;
  assign gap[3:0] = a;
  assign gap[7:5] = b;
"""


def test_parts_that_cover_a_wire_are_assigned_as_a_whole_and_no_others() -> None:
    assert _whole_assignments(BEFORE) == AFTER
    assert _whole_assignments(AFTER) == AFTER


def test_an_assignment_of_what_never_changes_is_seen_from_the_start() -> None:
    text = "  always @*\n    \\$signal [1:0] = { \\$9 , \\$6  };\n  always @*\n    \\$signal [2] = 1'h0;\n"
    assert _ASSIGNMENT.sub(_assigned_at_start, text) == (
        "  always @*\n    \\$signal [1:0] = { \\$9 , \\$6  };\n  initial #0\n    \\$signal [1:0] = { \\$9 , \\$6  };\n"
        "  initial\n    \\$signal [2] = 1'h0;\n"
    )
