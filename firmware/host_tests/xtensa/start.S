/* QEMU's "sim" machine starts here, at the reset vector, with the call0 ABI: set a stack, clear nothing, call main. */
    .section .reset, "ax"
    j       1f
    .align  4
stack: .word __stack
entry: .word main
1:  l32r    a1, stack
    l32r    a0, entry
    callx0  a0
2:  j       2b

/* int eh_simcall(int number, int a, int b, int c): the simulator's system calls take a2..a5 and answer in a2. */
    .section .text, "ax"
    .global eh_simcall
    .align  4
eh_simcall:
    simcall
    ret
