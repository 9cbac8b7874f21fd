/* page.html as it is, for format_html() [formats.c]. */
    .section .rodata
    .globl conform_page, conform_page_end
    .hidden conform_page, conform_page_end
conform_page:
    .incbin "page.html"
conform_page_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
