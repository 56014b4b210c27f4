/* A library to walk through, whose frame has SIZE bytes and whose code has as many whatever SIZE
 * is: void through(void (*call)(void *), void *argument). */
#define TEXT_OF(word) #word
#define TEXT(word) TEXT_OF(word)

__asm__(".text\n"
        ".globl through\n"
        ".type through, @function\n"
        "through:\n"
        ".cfi_startproc\n"
        ".byte 0x48, 0x81, 0xec\n" /* subq, with four bytes for the number */
        ".long " TEXT(
            SIZE) "\n"
                  ".cfi_adjust_cfa_offset " TEXT(
                      SIZE) "\n"
                            "movq %rdi, %rax\n"
                            "movq %rsi, %rdi\n"
                            "call *%rax\n"
                            ".byte 0x48, 0x81, 0xc4\n" /* addq */
                            ".long " TEXT(
                                SIZE) "\n"
                                      ".cfi_adjust_cfa_offset -" TEXT(
                                          SIZE) "\n"
                                                "ret\n"
                                                ".cfi_endproc\n"
                                                ".size through, .-through\n"
                                                ".section .note.GNU-stack, \"\", @progbits\n");
