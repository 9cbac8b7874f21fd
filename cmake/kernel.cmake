# A kernel of its own for a guest: probe_kernel(name.elf SOURCE...), on the runtime in guest-probe/boot.
#
# It runs with interrupts on one stack, without SSE state and without relocation.
function(probe_kernel name)
  set(boot ${PROJECT_SOURCE_DIR}/guest-probe/boot)
  set(lib ${PROJECT_SOURCE_DIR}/guest-probe/lib)
  add_executable(${name} ${boot}/apic.c ${boot}/loader.c ${boot}/pit.c ${boot}/serial.c ${boot}/start.S ${boot}/string.c
    ${boot}/trap.c ${lib}/clock.c ${lib}/text.c ${ARGN})
  target_link_libraries(${name} PRIVATE hvshim_flags probe_headers)
  target_include_directories(${name} PRIVATE ${boot})
  target_compile_options(${name} PRIVATE
    -ffreestanding -mgeneral-regs-only -mno-red-zone -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none
    -fno-asynchronous-unwind-tables $<$<COMPILE_LANGUAGE:C>:-fno-tree-loop-distribute-patterns>)
  target_link_options(${name} PRIVATE
    -nostdlib -static -no-pie -Wl,-T,${boot}/link.ld -Wl,--build-id=none -Wl,-z,max-page-size=4096
    -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF LINK_DEPENDS ${boot}/link.ld)
endfunction()
