// Verilator's run time for a program that cocotb drives. It is the same for every design, so it is compiled once.

#include "verilated.cpp"
#include "verilated_dpi.cpp"
#include "verilated_threads.cpp"
#include "verilated_vcd_c.cpp"
#include "verilated_vpi.cpp"
